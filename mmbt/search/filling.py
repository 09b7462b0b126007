"""Videos into an index: read ahead, encoded in batches over their borders, kept when complete."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from mmbt.datasets import VideoReadError
from mmbt.files.shown import printable

from .encoder import Encoder
from .read_ahead import Begin, Broken, read_videos
from .stamps import Stamp
from .video_rows import VideoRow
from .window_clips import Timeline
from .windows import Window, WindowPlan

Progress = Callable[[int, int], Any]
Watch = Callable[[str, int, int], Any]


class Rows(Protocol):
    """What videos are added to: an index, or fragments of one."""

    width: int

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None = None) -> None:
        """Keep a video in the place of what was known of it."""

    def flush(self) -> None:
        """Put on the disk what was added."""


@dataclass
class _Partial:
    """A video of which some windows are encoded."""

    timeline: Timeline
    embeddings: list[np.ndarray] = field(default_factory=list)
    baseline: list[np.ndarray] = field(default_factory=list)


class Filling:
    """Encodes videos into an index.

    Args:
        encoder: Encodes.
        index: Where complete videos and broken ones go.
        stamps: Of each video what its file was before it was read.
        batch_size: Windows encoded at a time.
        on_broken: ``'skip'`` or ``'error'``.
        progress: Called with how many of how many videos are done.
        watch: Called with a video and how many of how many of its windows are done.
    """

    def __init__(self, encoder: Encoder, index: Rows, stamps: dict[str, Stamp], batch_size: int,
                 on_broken: str, progress: Progress | None, watch: Watch | None = None) -> None:
        self.encoder, self.index, self.stamps = encoder, index, stamps
        self.batch_size, self.on_broken, self.progress = batch_size, on_broken, progress
        self.watch = watch
        self.done = self.encoded = 0
        self._total = 0
        self._told = -1
        self._partial: dict[str, _Partial] = {}
        self._waiting: list[tuple[str, Tensor]] = []

    def fill(self, paths: Sequence[str], plan: WindowPlan, workers: int) -> int:
        """Encode videos in their order; return how many could be."""
        self._total = len(paths)
        try:
            for path, event in read_videos(self.encoder.reader, paths, plan, workers):
                if isinstance(event, Begin):
                    self._forget(path)
                    self._partial[path] = _Partial(event.timeline)
                elif isinstance(event, Tensor):
                    self._waiting.append((path, event))
                    if len(self._waiting) == self.batch_size:
                        self._encode()
                elif isinstance(event, Broken):
                    self._leave_out(path, event.why)
            self._encode()
        finally:
            self.index.flush()
        return self.encoded

    def _forget(self, path: str) -> None:
        self._partial.pop(path, None)
        self._waiting = [each for each in self._waiting if each[0] != path]

    def _encode(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            rows, means = self.encoder.videos_and_means([clip for _, clip in waiting])
            for place, (path, _) in enumerate(waiting):
                partial = self._partial[path]
                partial.embeddings.append(rows[place])
                if means is not None:
                    partial.baseline.append(means[place])
            for path in dict.fromkeys(path for path, _ in waiting):
                self._keep_if_whole(path)
        self._tell()

    def _keep_if_whole(self, path: str) -> None:
        duration, windows = self._partial[path].timeline
        if self.watch is not None:
            self.watch(path, len(self._partial[path].embeddings), len(windows))
        if len(self._partial[path].embeddings) < len(windows):
            return
        whole = self._partial.pop(path)
        self.index.add(VideoRow(path, *self.stamps[path], duration, len(windows), ''), windows,
                       np.stack(whole.embeddings),
                       np.stack(whole.baseline) if whole.baseline else None)
        self.done, self.encoded = self.done + 1, self.encoded + 1

    def _leave_out(self, path: str, why: str) -> None:
        self._forget(path)
        leave_out(self.index, path, self.stamps[path], why)
        self.done += 1
        if self.on_broken == 'error':
            self._encode()
            raise VideoReadError(why)
        if not self._waiting:
            self._tell()

    def _tell(self) -> None:
        if self.progress is not None and self.done != self._told:
            self._told = self.done
            self.progress(self.done, self._total)


def leave_out(index: Rows, path: str, stamp: Stamp, why: str) -> None:
    """Keep that a video cannot be read, in the place of what was known of it."""
    none: np.ndarray = np.zeros((0, index.width), np.float32)
    index.add(VideoRow(path, *stamp, 0., 0, printable(why)), [], none, None)
