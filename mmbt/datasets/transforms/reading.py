"""Read the frames of a video file or of a still image."""
import os
import os.path as osp
import struct
from typing import Optional

import numpy as np
from mmaction.datasets.transforms import DecordDecode, DecordInit, UniformSample
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmbt.reading import VideoReadError

from ..video_files import IMAGE_SUFFIXES
from .blank import blank_frames
from .frame_folders import find_frame_folder, read_frame_folder, read_image
from .near_frames import near_frames
from .size_limit import MAX_PIXELS, check_video_size


class _OpenByPath(DecordInit):
    """MMAction2's ``DecordInit``, opening the path instead of the file's bytes.

    decord 0.6.0 kills the process on the bytes of a truncated AVI; by its path, it raises.
    """

    def _get_video_reader(self, filename: str) -> object:
        import decord
        try:
            return decord.VideoReader(filename, num_threads=self.num_threads)
        except UnicodeEncodeError:  # decord takes no name that is not UTF-8
            with open(filename, 'rb') as file:
                return decord.VideoReader(file, num_threads=self.num_threads)


class _EveryFrame:
    """Samples all frames of a video."""

    def transform(self, results: dict) -> dict:
        results['frame_inds'] = np.arange(results['total_frames'])
        results.update(clip_len=results['total_frames'], num_clips=1, frame_interval=None)
        return results


@TRANSFORMS.register_module()
class ReadFrames(BaseTransform):
    """Sample ``num_frames`` frames evenly over a video with MMAction2's decord transforms.

    In training one random frame is taken from each of ``num_frames`` equal segments. In testing
    frame ``i`` is ``round(seg * i) + int(seg / 2)``, ``seg = (total - 1) / num_frames``. A still
    image is a video of one frame, which is then repeated. A folder of images (``img_00001.jpg``
    and so on), which may lack the suffix that the annotation gives the video, is a video of these
    frames.

    Required keys: ``filename``.

    With ``num_clips`` N, a test takes N clips one after the other: clip k of 1 .. N has the frames
    ``round(seg * i) + int(seg * k / (N + 1))``. ``PackVideoText`` makes views of them.

    Added keys: ``imgs`` (list of ``num_clips * num_frames`` RGB uint8 arrays (H, W, 3)),
    ``img_shape`` and ``original_shape`` (H, W), ``total_frames``, ``frame_inds``, ``clip_len``,
    ``num_clips``, ``modality``.

    Args:
        num_frames (int): Frames of a clip.
        test_mode (bool): Take fixed frames. Defaults to False.
        num_threads (int): Threads decord may use for one video. Defaults to 1.
        cache (bool): Keep every frame of every file in memory once it is decoded, in each
            data-loading process: for sets of a few thousand tiny clips that are read many times.
            Defaults to False.
        max_pixels (int, optional): The most that one file may decode to, width x height x frames
            wanted (all frames with ``cache``), told from its header; None for no limit. Defaults
            to 2**28, eight frames of 8K video.
        num_clips (int): Clips of a video, in testing alone. Defaults to 1.
        max_offset (int): In training, take in place of each sampled frame one that is cheap to
            decode, at most so many frames away; see :mod:`.near_frames`. ``frame_inds`` are then
            those of the frames taken. Defaults to 0: the frames sampled.

    Raises:
        VideoReadError: If the file is missing, empty, cut short, too large or cannot be decoded.
    """

    def __init__(self, num_frames: int, test_mode: bool = False, num_threads: int = 1,
                 cache: bool = False, max_pixels: Optional[int] = MAX_PIXELS,
                 num_clips: int = 1, max_offset: int = 0) -> None:
        if num_frames < 1:
            raise ValueError(f'ReadFrames: num_frames must be at least 1, got {num_frames}')
        if num_clips < 1 or (num_clips > 1 and not test_mode):
            raise ValueError('ReadFrames: num_clips must be at least 1, and 1 in training, got '
                             f'{num_clips}')
        if max_offset < 0 or max_offset and (test_mode or cache):
            raise ValueError('ReadFrames: max_offset must be 0 or more, and 0 with test_mode or '
                             f'cache, got {max_offset}')
        self.num_frames = num_frames
        self.max_offset = max_offset
        self.max_pixels = max_pixels
        self.test_mode = test_mode
        self.open_video = _OpenByPath(num_threads=num_threads)
        self.sample = UniformSample(
            clip_len=num_frames, num_clips=num_clips, test_mode=test_mode)
        self.decode = DecordDecode()
        self.cache: Optional[dict[str, np.ndarray]] = {} if cache else None

    def transform(self, results: dict) -> dict:
        """Add the frames to ``results``; see the class."""
        if self.cache is not None:
            return self._read_cached(results)
        return self._read(results)

    def blank(self, results: dict) -> dict:
        """Add black frames to ``results`` instead of reading its file."""
        return blank_frames(results, self.num_frames, self.sample)

    def _read(self, results: dict) -> dict:
        filename = results['filename']
        folder = find_frame_folder(filename)
        if folder is None:
            check_file(filename)
        results.setdefault('start_index', 0)
        results.setdefault('modality', 'RGB')
        if folder is not None:
            return read_frame_folder(folder, results, self.sample, self.max_pixels)
        if filename.lower().endswith(IMAGE_SUFFIXES):
            return self._read_image(results)
        if self.max_offset:
            near = near_frames(results, self.sample, self.max_offset, self.max_pixels)
            if near is not None:
                return near
        return self._read_video(results)

    def _read_cached(self, results: dict) -> dict:
        filename = results['filename']
        if filename not in self.cache:
            self.cache[filename] = self._whole_file(filename)
        frames = self.cache[filename]
        results.update(total_frames=len(frames), start_index=0, modality='RGB')
        results = self.sample.transform(results)
        results['imgs'] = [frames[index] for index in results['frame_inds']]
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

    def _whole_file(self, filename: str) -> np.ndarray:
        """Decode every frame, (total, H, W, 3) uint8, by the same way as without the cache."""
        reader = ReadFrames(1, test_mode=True, num_threads=self.open_video.num_threads,
                            max_pixels=self.max_pixels)
        reader.sample = _EveryFrame()
        return np.stack(reader.transform(dict(filename=filename))['imgs'])

    def _read_image(self, results: dict) -> dict:
        image = read_image(results['filename'], self.max_pixels)
        results['total_frames'] = 1
        results = self.sample.transform(results)
        results['imgs'] = [image] * len(results['frame_inds'])
        results['original_shape'] = results['img_shape'] = image.shape[:2]
        return results

    def _read_video(self, results: dict) -> dict:
        from decord import DECORDError
        filename = results['filename']
        try:
            results = self.open_video.transform(results)
            if results['total_frames'] < 1:
                raise VideoReadError(f'{filename} holds no frames')
            results = self.sample.transform(results)
            check_video_size(filename, results['video_reader'], len(results['frame_inds']),
                             self.max_pixels)
            return self.decode.transform(results)
        except (DECORDError, RuntimeError, OSError) as error:
            raise VideoReadError(f'{filename} {_reason(error)}') from error
        finally:
            results.pop('video_reader', None)

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_frames={self.num_frames}, '
                f'test_mode={self.test_mode}, num_threads={self.open_video.num_threads}, '
                f'max_offset={self.max_offset})')


def check_file(filename: str) -> None:
    """Raise :class:`VideoReadError` for a file that is missing, empty or visibly cut short."""
    if not osp.isfile(filename):
        raise VideoReadError(f'{filename} is ' + (
            'no file, or a link to none' if osp.lexists(filename) else 'missing'))
    try:
        size = os.stat(filename).st_size
        with open(filename, 'rb') as file:
            head = file.read(12)
    except OSError as error:
        raise VideoReadError(f'{filename} cannot be read: {error.strerror}') from error
    if size == 0:
        raise VideoReadError(f'{filename} is empty (0 bytes)')
    if len(head) == 12 and head[:4] == b'RIFF' and head[8:] == b'AVI ':
        declared = struct.unpack('<I', head[4:8])[0] + 8
        if 0 < size < declared < np.iinfo(np.uint32).max:
            raise VideoReadError(f'{filename} is truncated: {size} of {declared} bytes')


def _reason(error: Exception) -> str:
    if 'cannot find video stream' in str(error):
        return 'cannot be decoded: it holds no video stream (audio only, or damaged)'
    return 'cannot be decoded: truncated, damaged or not a video'
