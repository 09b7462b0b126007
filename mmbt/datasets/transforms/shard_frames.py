"""Read the frames of a clip from a shard, and compare their checksums."""
import zlib
from io import BytesIO

import cv2
import numpy as np
from mmaction.datasets.transforms import UniformSample
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from PIL import Image

from mmbt.reading import VideoReadError

from ..shards.layout import read_ranges
from .reading import blank_frames

MAX_PICTURE = 2**25  # pixels; 8K has 33 million
UNDECODABLE = 'holds a frame that cannot be decoded: damaged, copy or make the shard again'


@TRANSFORMS.register_module()
class ReadShardFrames(BaseTransform):
    """Sample ``num_frames`` frames as ``ReadFrames`` does and take the nearest stored ones.

    The random numbers are those that ``ReadFrames`` draws. A frame is at most half of the distance
    between two stored ones away from the one drawn: of 16 stored in 15 s, half a second. In
    testing, with as many stored as wanted, the frames are the same.

    Required keys: ``shard``, ``frame_ranges``, ``stored_inds``, ``total_frames``, which
    ``ShardedVideos`` gives.

    Added keys: those of ``ReadFrames``; ``frame_inds`` are the places in the video of the frames
    returned, ``img_shape`` and ``original_shape`` are of the stored pictures.

    Args:
        num_frames: Frames to return.
        test_mode: Take fixed frames.

    Raises:
        VideoReadError: If the shard is missing or a frame cannot be decoded.
    """

    def __init__(self, num_frames: int, test_mode: bool = False) -> None:
        if num_frames < 1:
            raise ValueError(f'ReadShardFrames: num_frames must be at least 1, got {num_frames}')
        self.num_frames = num_frames
        self.test_mode = test_mode
        self.sample = UniformSample(clip_len=num_frames, test_mode=test_mode)

    def transform(self, results: dict) -> dict:
        """Add the frames to ``results``; see the class."""
        results.setdefault('start_index', 0)
        results.setdefault('modality', 'RGB')
        results = self.sample.transform(results)
        stored = np.asarray(results.pop('stored_inds'))
        ranges, shard = results.pop('frame_ranges'), results.pop('shard')
        chosen = np.abs(stored - results['frame_inds'][:, None]).argmin(1)
        places = np.unique(chosen).tolist()
        jpegs = read_ranges(shard, [ranges[place] for place in places])
        check_frames(jpegs, places, results.pop('crc32', None), results['filename'])
        frames = {place: _decode_jpeg(jpeg, results['filename'])
                  for place, jpeg in zip(places, jpegs)}
        results['frame_inds'] = stored[chosen].astype(np.int32)
        results['imgs'] = [frames[place] for place in chosen.tolist()]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return results

    def blank(self, results: dict) -> dict:
        """Add black frames to ``results`` instead of reading its shard."""
        for key in ('stored_inds', 'frame_ranges', 'shard', 'crc32'):
            results.pop(key, None)
        return blank_frames(results, self.num_frames, self.sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(num_frames={self.num_frames}, test_mode={self.test_mode})'


def check_frames(jpegs: list, places: list, crc32: list | None, name: str) -> None:
    """Refuse frames that are not those that were written; a torn JPEG decodes, partly grey.

    Args:
        jpegs: As read.
        places: Of each among the clip's frames.
        crc32: The checksums of all of the clip's frames; older shards have none.
        name: The clip.

    Raises:
        VideoReadError: If a checksum is another; it says ``name``.
    """
    if crc32 is None:
        return
    recorded = crc32 if isinstance(crc32, list) else []
    if [zlib.crc32(jpeg) for jpeg in jpegs] != [recorded[place] for place in places
                                                if place < len(recorded)]:
        raise VideoReadError(f'{name} holds a frame whose checksum is another: damaged, copy or '
                             'make the shard again')
def _check_picture(jpeg: bytes, name: str) -> None:
    """Refuse what is no JPEG, or one whose header says more pixels than a frame has.

    Raises:
        VideoReadError: If it is; it says ``name``.
    """
    try:
        with Image.open(BytesIO(jpeg), formats=('JPEG', )) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise VideoReadError(f'{name} {UNDECODABLE}') from None
    if width * height > MAX_PICTURE:
        raise VideoReadError(f'{name} holds a frame of {width} x {height}, which is larger than '
                             f'{MAX_PICTURE:,} pixels')


def _decode_jpeg(jpeg: bytes, name: str) -> np.ndarray:
    """Return a JPEG's picture, RGB (H, W, 3) uint8.

    Raises:
        VideoReadError: If it is none; it says ``name``.
    """
    _check_picture(jpeg, name)
    # cv2 takes 4.2 ms for eight pictures of 454 x 256, torchvision 4.5, Pillow 5.9.
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise VideoReadError(f'{name} {UNDECODABLE}')
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB, dst=image)
