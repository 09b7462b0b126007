"""Videos that were added to an index and are not committed yet."""
from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .lance_table import shown, to_stored
from .video_rows import LONGEST_ERROR, VideoRow, fault_of
from .windows import Window

ROWS_AT_ONCE = 1000  # windows, after which they are committed
SECONDS_AT_ONCE = 30.  # or so much time
FAR = 0.02  # from 1, as the length of an embedding may be


class Added(NamedTuple):
    """A video with its W windows."""

    row: VideoRow
    times: np.ndarray  # (W, 2) float64, seconds
    vectors: list[np.ndarray]  # (W, E) float32: embeddings, and those of frame means if any


class Waiting:
    """What was added since the last commit, each video once.

    Args:
        folder: Of the index, for errors.
        width: E.
    """

    def __init__(self, folder: Path, width: int) -> None:
        self.folder = folder
        self.width = width
        self.videos: dict[str, Added] = {}
        self._count = 0
        self._since = 0.

    @property
    def is_due(self) -> bool:
        """Whether it is time to commit."""
        return bool(self.videos) and (self._count >= ROWS_AT_ONCE or
                                      time.monotonic() - self._since > SECONDS_AT_ONCE)

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None) -> None:
        """Take a video in; for arguments and errors see :meth:`.moment_index.MomentIndex.add`."""
        to_stored(video.path)
        video = video._replace(error=video.error[:LONGEST_ERROR])
        times = np.array([tuple(window) for window in windows], np.float64).reshape(-1, 2)
        added = Added(video, times, [np.asarray(each, np.float32)
                                     for each in (embeddings, baseline) if each is not None])
        why = fault_of(video) or self._fault_of(added)
        if why:
            raise ValueError(f'index {shown(self.folder)}: {shown(video.path)[:200]} {why}')
        if not self.videos:
            self._since = time.monotonic()
        self.videos.pop(video.path, None)
        self.videos[video.path] = added
        self._count += len(times) + 1

    def _fault_of(self, added: Added) -> str:
        """Why times and vectors cannot be, as the end of a sentence; '' where they can."""
        times, count = added.times, len(added.times)
        if added.row.windows != count:
            return f'has {count} windows, and its row says {added.row.windows}'
        if not (np.isfinite(times).all() and (times >= 0).all()
                and (times[:, 0] <= times[:, 1]).all()):
            return 'has windows with times that cannot be'
        for vectors in added.vectors:
            if vectors.shape != (count, self.width):
                return f'has embeddings of shape {vectors.shape}, not {(count, self.width)}'
            if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < FAR).all():
                return 'has embeddings that are not of length 1'
        return ''

    def clear(self) -> None:
        """Forget all; it is committed."""
        self.videos, self._count = {}, 0
