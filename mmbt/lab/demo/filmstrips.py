"""Clips as rows of their frames, and as films that a page plays."""
import base64
import io
import os.path as osp
from functools import lru_cache

import cv2
import numpy as np

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import EveryFrame
from mmbt.search.explain.film import write_h264

NUM_FRAMES = 8
GAP = 2
JPEG_QUALITY = 90
FILM_QUALITY = 26  # CRF


class Filmstrips:
    """Draws filmstrips of the videos in a folder.

    Args:
        folder: Where the videos are.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.read = ReadFrames(NUM_FRAMES, test_mode=True)
        self.read_all = ReadFrames(1, test_mode=True)
        self.read_all.sample = EveryFrame()
        self.strip = lru_cache(maxsize=None)(self._strip)
        self.film_uri = lru_cache(maxsize=None)(self._film_uri)

    def _strip(self, video: str) -> np.ndarray:
        """Return ``NUM_FRAMES`` frames, evenly spaced in time, side by side: (H, W, 3) RGB uint8.

        Raises:
            VideoReadError: the video is missing or cannot be decoded.
        """
        frames = self.read.transform(dict(filename=osp.join(self.folder, video)))['imgs']
        gap = np.full((frames[0].shape[0], GAP, 3), 255, np.uint8)
        return np.hstack([part for frame in frames for part in (frame, gap)][:-1])

    def _film_uri(self, video: str) -> str:
        """Return ``video`` as the source of an HTML video: some kilobytes of H.264.

        Twice its size, pixel by pixel, since players blur colours over two pixels each way.

        Raises:
            VideoReadError: the video is missing or cannot be decoded.
        """
        found = self.read_all.transform(dict(filename=osp.join(self.folder, video)))
        data = io.BytesIO()
        write_h264(data, (frame.repeat(2, 0).repeat(2, 1) for frame in found['imgs']),
                   rate=round(found['avg_fps']), quality=FILM_QUALITY)
        return data_uri(data.getvalue(), 'video/mp4')

    def data_uri(self, video: str, frames: int = NUM_FRAMES) -> str:
        """Return the strip of ``video``, or its first frames alone, as the source of a picture."""
        strip = self.strip(video)
        width = (strip.shape[1] + GAP) // NUM_FRAMES * frames - GAP
        bgr = np.ascontiguousarray(strip[:, :width, ::-1])
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return data_uri(data.tobytes(), 'image/jpeg')


def data_uri(data: bytes, kind: str) -> str:
    """Return an encoded picture or film of a media type as what an HTML ``src`` takes."""
    return f'data:{kind};base64,{base64.b64encode(data).decode("ascii")}'
