"""The clips of a video's windows, read in one pass over its file."""
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from mmbt.datasets.transforms.frame_folders import find_frame_folder, is_still_image
from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.reading import VideoFacts, VideoReadError
from mmbt.reading.process import stream_isolated

from .shots import find_cuts
from .windows import Window, WindowPlan, plan_windows


class Timeline(NamedTuple):
    """A video's seconds and its windows."""

    duration: float
    windows: list[Window]


class WindowReader:
    """Reads the clips of windows by the transforms of a pipeline.

    Each frame is decoded once, although windows overlap, and kept as long as a window needs it, so
    that a file of hours takes the memory of a few windows. A window's clip is what the pipeline
    would make of a file that holds this window alone.

    What is no stream of frames (a folder of images, a still image, a pipeline without
    ``ReadFrames`` or with one that keeps or reads files its own way) is one window of 0 s to 0 s.

    Args:
        transforms: Those of the pipeline, with ``PackVideoText``.
    """

    def __init__(self, transforms: Sequence[Callable[[dict], dict]]) -> None:
        self.transforms = list(transforms)
        reader = self.transforms[0]
        self.reader = reader if isinstance(reader, ReadFrames) else None

    @property
    def num_frames(self) -> int:
        """Frames of a window; 8 where the pipeline does not say."""
        return 8 if self.reader is None else self.reader.num_frames

    def clips(self, path: str, plan: WindowPlan) -> Iterator[tuple[Timeline, int, Tensor]]:
        """The clips of a video's windows in their order.

        Yields:
            The timeline, the number of a window in it, and its frames (T, 3, H, W) uint8 (V, T,
            ... where the pipeline takes V views). Where decoding finds another video than the file
            told, another timeline follows, beginning at window 0, in the place of the first.

        Raises:
            VideoReadError: If the video cannot be read.
        """
        if not self._streams(path):
            yield Timeline(0., [Window(0., 0.)]), 0, self._finish(dict(filename=path), 0)
            return
        assert self.reader is not None
        cuts = find_cuts(path, self.reader) if plan.shots else ()
        wanted = _Wanted(self.reader, path, plan, cuts)
        pictures: dict[int, np.ndarray] = {}
        timeline, left = Timeline(0., []), deque[int]()
        for _, numbers, frames in stream_isolated(path, wanted.choose, self.reader.max_pixels,
                                                  self.reader.deadline):
            if wanted.timeline is not timeline:  # decoding has begun, or found another video
                timeline, left = wanted.timeline, deque(range(len(wanted.samples)))
                pictures.clear()
            pictures.update(zip(numbers, frames))
            while left and wanted.last[left[0]] <= numbers[-1]:
                place = left.popleft()
                yield timeline, place, self._clip(path, wanted, place, pictures)
                needed = wanted.first[left[0]] if left else np.inf
                for number in [number for number in pictures if number < needed]:
                    del pictures[number]

    def _streams(self, path: str) -> bool:
        reader = self.reader
        return (reader is not None and reader.decord is None and reader.cache is None
                and find_frame_folder(path) is None and not is_still_image(path))

    def _clip(self, path: str, wanted: '_Wanted', place: int,
              pictures: dict[int, np.ndarray]) -> Tensor:
        results = dict(wanted.samples[place], filename=path)
        results['imgs'] = [pictures[number] for number in results['frame_inds'].tolist()]
        results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
        return self._finish(results, 1)

    def image(self, picture: np.ndarray) -> Tensor:
        """The clip of a still picture (H, W, 3) uint8 that is not in a file."""
        if self.reader is None:
            raise ValueError('the pipeline does not read by ReadFrames, so that it takes no arrays')
        results = dict(total_frames=1, start_index=0, modality='RGB', filename='')
        results = self.reader.sample.transform(results)
        results.update(imgs=[picture] * len(results['frame_inds']), img_shape=picture.shape[:2],
                       original_shape=picture.shape[:2])
        return self._finish(results, 1)

    def _finish(self, results: dict, done: int) -> Tensor:
        for transform in self.transforms[done:]:
            results = transform(results)
        return results['inputs']['imgs']


class _Wanted:
    """The frames that the windows of a video want.

    Attributes:
        timeline: The video's seconds and windows.
        samples: Of each window, what ``ReadFrames`` adds to its results, but for the frames.
        first, last: The first and last frame of each window.
    """

    def __init__(self, reader: ReadFrames, path: str, plan: WindowPlan,
                 cuts: Sequence[float]) -> None:
        self.reader, self.path, self.plan, self.cuts = reader, path, plan, cuts
        self.timeline = Timeline(0., [])

    def choose(self, facts: VideoFacts) -> list[int]:
        """The frames of all windows, rising, each once."""
        try:
            windows = plan_windows(facts.seconds, self.plan, self.cuts)
        except ValueError as error:
            raise VideoReadError(f'{self.path} cannot be cut into windows: {error}') from error
        self.timeline = Timeline(facts.seconds, windows)
        self.samples = [self._sample(facts, window) for window in windows]
        self.first = [int(sample['frame_inds'].min()) for sample in self.samples]
        self.last = [int(sample['frame_inds'].max()) for sample in self.samples]
        return np.unique([sample['frame_inds'] for sample in self.samples]).tolist()

    def _sample(self, facts: VideoFacts, window: Window) -> dict:
        """As ``ReadFrames`` would sample a file of the frames that are shown in a window."""
        first = max(int(np.searchsorted(facts.times, window.start + 1e-6, side='right')) - 1, 0)
        after = max(int(np.searchsorted(facts.times, window.end - 1e-6)), first + 1)
        results = dict(total_frames=after - first, start_index=first, modality='RGB',
                       avg_fps=facts.rate, times=facts.times[first:after] - window.start,
                       seconds=window.end - window.start)
        results = self.reader.sample.transform(results)
        results['frame_inds'] = np.squeeze(results['frame_inds']).reshape(-1)
        del results['times'], results['seconds']
        return results
