"""Clips as rows of their frames."""
import base64
import os.path as osp
from functools import lru_cache

import cv2
import numpy as np

from mmbt.datasets.transforms.reading import ReadFrames

NUM_FRAMES = 8
GAP = 2
JPEG_QUALITY = 90


class Filmstrips:
    """Draws filmstrips of the videos in a folder.

    Args:
        folder: Where the videos are.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.read = ReadFrames(NUM_FRAMES, test_mode=True)
        self.strip = lru_cache(maxsize=None)(self._strip)

    def _strip(self, video: str) -> np.ndarray:
        """Return ``NUM_FRAMES`` frames, evenly spaced in time, side by side: (H, W, 3) RGB uint8.

        Raises:
            VideoReadError: the video is missing or cannot be decoded.
        """
        frames = self.read.transform(dict(filename=osp.join(self.folder, video)))['imgs']
        gap = np.full((frames[0].shape[0], GAP, 3), 255, np.uint8)
        return np.hstack([part for frame in frames for part in (frame, gap)][:-1])

    def data_uri(self, video: str) -> str:
        """Return the strip of ``video`` as the source of an HTML image."""
        bgr = np.ascontiguousarray(self.strip(video)[..., ::-1])
        _, data = cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        return data_uri(data.tobytes(), 'jpeg')


def data_uri(picture: bytes, kind: str) -> str:
    """Return an encoded picture as the source of an HTML image."""
    return f'data:image/{kind};base64,{base64.b64encode(picture).decode("ascii")}'
