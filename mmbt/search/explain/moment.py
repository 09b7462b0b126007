"""The frames of a moment of a video, and when each of them is shown."""
import copy
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import times_of
from mmbt.files.shown import printable

from ..encoder import Encoder
from ..windows import clock


class Moment(NamedTuple):
    """A clip of a video.

    Attributes:
        clip: (T, 3, H, W) uint8 frames, as the model's pipeline makes them.
        times: (T,) seconds at which they are shown; numbers of frames where ``timed`` is False.
        start: Of the moment.
        end: The same.
        timed: Whether the video has times: folders of frames and pictures have none.
    """

    clip: Tensor
    times: np.ndarray
    start: float
    end: float
    timed: bool


class _Within:
    """Samples a moment as another sampler samples a file that holds its frames alone."""

    def __init__(self, path: str, sample: Any, start: float | None, end: float | None) -> None:
        self.path, self.sample, self.asked = path, sample, (start, end)
        self.start, self.end, self.timed = 0., 0., True
        self.times: np.ndarray = np.empty(0)

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``."""
        times, seconds = times_of(results)
        self.timed = 'times' in results
        self.start, self.end = self._bounds(seconds)
        first = max(int(np.searchsorted(times, self.start + 1e-6, side='right')) - 1, 0)
        after = max(int(np.searchsorted(times, self.end - 1e-6)), first + 1)
        part = dict(results, total_frames=after - first,
                    start_index=results['start_index'] + first)
        if self.timed:
            part.update(times=times[first:after] - self.start, seconds=self.end - self.start)
        results['frame_inds'] = inds = np.squeeze(self.sample.transform(part)['frame_inds'])
        results.update({key: part[key] for key in ('clip_len', 'num_clips', 'frame_interval')
                        if key in part})
        self.times = times[np.atleast_1d(inds) - results['start_index']]
        return results

    def _bounds(self, seconds: float) -> tuple[float, float]:
        start, end = self.asked
        if not self.timed and self.asked != (None, None):
            raise ValueError(f'{printable(self.path)} has no times: leave start and end out')
        start = 0. if start is None else start
        if not 0 <= start < seconds:
            raise ValueError(f'{printable(self.path)} lasts {seconds:.2f} s ({clock(seconds)}), '
                             f'and the moment is to begin at {start:g} s')
        return start, seconds if end is None else min(end, seconds)


def read_moment(encoder: Encoder, path: str, start: float | None, end: float | None) -> Moment:
    """Read a moment of a video; the whole of it where neither start nor end is given.

    Args:
        encoder: Whose pipeline reads.
        path: The file.
        start: Seconds; None is the video's.
        end: The same.

    Raises:
        VideoReadError: If the video cannot be read.
        ValueError: If the moment does not lie in it, or the pipeline reads no one clip by
            ``ReadFrames``.
    """
    if start is not None and end is not None and not start < end:
        raise ValueError(f'a moment ends after it begins, got {start:g} s to {end:g} s')
    reader, *rest = encoder.reader.transforms
    if not isinstance(reader, ReadFrames) or reader.num_clips > 1:
        raise ValueError('only a pipeline that begins with ReadFrames and reads one clip of a '
                         'video can be explained; set num_clips=1 in the config')
    reader = copy.copy(reader)
    reader.sample = within = _Within(path, reader.sample, start, end)
    results = reader.transform(dict(filename=path))
    for transform in rest:
        results = transform(results)
    clip = results['inputs']['imgs']
    if clip.ndim != 4:
        raise ValueError(f'the pipeline makes {len(clip)} crops of a frame, and one can be '
                         'explained: take CenterCrop in the config')
    return Moment(clip, np.asarray(within.times, np.float64), within.start, within.end,
                  within.timed)
