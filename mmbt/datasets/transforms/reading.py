"""Read the frames of a video file, of a folder of frames or of a still image."""
import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from mmaction.datasets.transforms import UniformSample
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmbt.reading import MAX_PIXELS, VideoFacts, check_file, read_frames
from mmbt.reading.process import DEADLINE, read_isolated

from .decord_reader import DecordReader
from .frame_folders import find_frame_folder, is_still_image, read_frame_folder, read_image
from .sampling import EveryFrame, UniformTimeSample

SAMPLERS = dict(frame=UniformSample, time=UniformTimeSample)
BLANK_SIDE = 224  # pixels


@TRANSFORMS.register_module()
class ReadFrames(BaseTransform):
    """Sample ``num_frames`` frames evenly over a video.

    By frame, in training one random frame is taken from each of ``num_frames`` equal segments. In
    testing frame ``i`` is ``round(seg * i) + int(seg / 2)``, ``seg = (total - 1) / num_frames``:
    MMAction2's ``UniformSample``. By time, the segments are equal in time; see
    :class:`.sampling.UniformTimeSample`. A still image is a video of one frame, which is then
    repeated. A folder of images (``img_00001.jpg`` and so on), which may lack the suffix that the
    annotation gives the video, is a video of these frames, evenly spaced.

    A video is read by a process of its own (:mod:`mmbt.reading.process`), one for each process and
    thread that reads. Where decoding hangs or dies, that is a video that cannot be read.

    Required keys: ``filename``.

    With ``num_clips`` N, a test takes N clips one after the other: clip k of 1 .. N has the frames
    ``round(seg * i) + int(seg * k / (N + 1))``. ``PackVideoText`` makes views of them.

    Added keys: ``imgs`` (list of ``num_clips * num_frames`` RGB uint8 arrays (H, W, 3)),
    ``img_shape`` and ``original_shape`` (H, W), ``total_frames``, ``frame_inds``, ``clip_len``,
    ``num_clips``, ``modality``; of a video file ``avg_fps``.

    Args:
        num_frames: Frames of a clip.
        test_mode: Take fixed frames.
        num_threads: Threads that decord may use for one video.
        cache: Keep every frame of every file in memory once it is decoded, in each data-loading
            process: for sets of a few thousand tiny clips that are read many times.
        max_pixels: The most that one file may decode to, width x height x frames wanted (all frames
            with ``cache``), told from its header; None for no limit. Defaults to 2**28, eight
            frames of 8K video.
        num_clips: Clips of a video, in testing alone.
        max_offset: In training, take in place of each sampled frame one that is cheap to decode, at
            most so many frames away. ``frame_inds`` are then those of the frames taken. Defaults to
            0: the frames sampled.
        by: 'frame' or 'time': what the frames are evenly spaced in. Defaults to 'frame', as the
            benchmarks do.
        reader: 'pyav', or for one release 'decord', which numbers before it were made with.
        isolated: Read in a process of its own. Defaults to True; else no deadline holds, and what
            kills a decoder kills this process.
        deadline: Seconds that reading a video may take, and one more for each 8 MB of its file.
            Defaults to 60.

    Raises:
        VideoReadError: If the file is missing, empty, cut short, too large or cannot be decoded,
            or decoding hangs or dies.
        ValueError: If an argument is not allowed.
    """

    def __init__(self, num_frames: int, test_mode: bool = False, num_threads: int = 1,
                 cache: bool = False, max_pixels: int | None = MAX_PIXELS,
                 num_clips: int = 1, max_offset: int = 0, by: str = 'frame',
                 reader: str = 'pyav', isolated: bool = True, deadline: float = DEADLINE) -> None:
        if num_frames < 1:
            raise ValueError(f'ReadFrames: num_frames must be at least 1, got {num_frames}')
        if num_clips < 1 or (num_clips > 1 and not test_mode):
            raise ValueError('ReadFrames: num_clips must be at least 1, and 1 in training, got '
                             f'{num_clips}')
        if max_offset < 0 or max_offset and (test_mode or cache):
            raise ValueError('ReadFrames: max_offset must be 0 or more, and 0 with test_mode or '
                             f'cache, got {max_offset}')
        if by not in SAMPLERS:
            raise ValueError(f"ReadFrames: by must be 'frame' or 'time', got {by!r}")
        if reader not in ('pyav', 'decord'):
            raise ValueError(f"ReadFrames: reader must be 'pyav' or 'decord', got {reader!r}")
        if reader == 'decord' and (max_offset or by == 'time'):
            raise ValueError("ReadFrames: max_offset and by='time' need reader='pyav'")
        if not deadline > 0:
            raise ValueError(f'ReadFrames: deadline must be above 0 seconds, got {deadline}')
        self.num_frames, self.num_clips, self.test_mode = num_frames, num_clips, test_mode
        self.max_offset = max_offset
        self.max_pixels = max_pixels
        self.by, self.reader = by, reader
        self.sample: Any = SAMPLERS[by](
            clip_len=num_frames, num_clips=num_clips, test_mode=test_mode)
        self.decord = DecordReader(num_threads, max_pixels) if reader == 'decord' else None
        # In a partial: what an answer depends on does not depend on these.
        self.decode: Callable = (functools.partial(read_isolated, deadline=deadline) if isolated
                                 else functools.partial(read_frames))
        self.cache: dict[str, dict] | None = {} if cache else None

    def sampled_by(self, by: str) -> 'ReadFrames':
        """A reader that samples by 'frame' or 'time', and is else the same."""
        other = copy.copy(self)
        other.by = by
        other.sample = SAMPLERS[by](clip_len=self.num_frames, num_clips=self.num_clips,
                                    test_mode=self.test_mode)
        return other

    def transform(self, results: dict) -> dict:
        """Add the frames to ``results``; see the class."""
        results = self._read(results) if self.cache is None else self._read_cached(results)
        for key in ('times', 'seconds'):
            results.pop(key, None)
        return results

    def blank(self, results: dict) -> dict:
        """Add black frames to ``results`` instead of reading its file."""
        return blank_frames(results, self.num_frames, self.sample)

    def _read(self, results: dict) -> dict:
        filename = results['filename']
        results.setdefault('start_index', 0)
        results.setdefault('modality', 'RGB')
        folder = find_frame_folder(filename)
        if folder is not None:
            return read_frame_folder(folder, results, self.sample, self.max_pixels)
        if is_still_image(filename):
            return self._read_image(results)
        if self.decord is not None:
            return self.decord.read(results, self.sample)
        return self._read_video(results)

    def _read_cached(self, results: dict) -> dict:
        assert self.cache is not None
        filename = results['filename']
        if filename not in self.cache:
            self.cache[filename] = self._whole_file(filename)
        known = self.cache[filename]
        frames = known['imgs']
        results.update({key: known[key] for key in ('times', 'seconds') if key in known},
                       total_frames=len(frames), start_index=0, modality='RGB')
        results = self.sample.transform(results)
        results['imgs'] = [frames[index] for index in results['frame_inds']]
        results['original_shape'] = results['img_shape'] = frames.shape[1:3]
        return results

    def _whole_file(self, filename: str) -> dict:
        """Every frame, (total, H, W, 3) uint8, by the same way as without the cache."""
        reader = copy.copy(self)
        reader.sample = EveryFrame()
        results = reader._read(dict(filename=filename))
        results['imgs'] = np.stack(results['imgs'])
        return results

    def _read_image(self, results: dict) -> dict:
        check_file(results['filename'])
        image = read_image(results['filename'], self.max_pixels)
        results['total_frames'] = 1
        results = self.sample.transform(results)
        results['imgs'] = [image] * len(results['frame_inds'])
        results['original_shape'] = results['img_shape'] = image.shape[:2]
        return results

    def _read_video(self, results: dict) -> dict:
        state = np.random.get_state()

        def choose(facts: VideoFacts) -> np.ndarray:
            if 'frame_inds' in results:  # decoding found other frames: as if drawn first
                np.random.set_state(state)
            results.update(total_frames=facts.total_frames, avg_fps=facts.rate, times=facts.times,
                           seconds=facts.seconds)
            self.sample.transform(results)
            results['frame_inds'] = np.squeeze(results['frame_inds']).reshape(-1)
            return results['frame_inds']

        results.pop('frame_inds', None)
        frames, taken, _ = self.decode(results['filename'], choose, max_offset=self.max_offset,
                                       max_pixels=self.max_pixels)
        results['imgs'] = frames
        results['frame_inds'] = np.array(taken, results['frame_inds'].dtype)
        results['original_shape'] = results['img_shape'] = frames[0].shape[:2]
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(num_frames={self.num_frames}, '
                f'test_mode={self.test_mode}, max_offset={self.max_offset}, by={self.by!r}, '
                f'reader={self.reader!r})')


def blank_frames(results: dict, num_frames: int, sample: UniformSample) -> dict:
    """Add black frames to ``results``, as if its video had ``num_frames`` of them.

    Args:
        results: A sample; the keys that ``ReadFrames`` adds are filled in.
        num_frames: Frames of the video that there is not.
        sample: Draws ``frame_inds`` from ``total_frames``.

    Returns:
        ``results``.
    """
    results.setdefault('start_index', 0)
    results.update(total_frames=num_frames, modality='RGB')
    results = sample.transform(results)
    results['imgs'] = [np.zeros((BLANK_SIDE, BLANK_SIDE, 3), np.uint8)] * len(results['frame_inds'])
    results['original_shape'] = results['img_shape'] = (BLANK_SIDE, BLANK_SIDE)
    return results
