"""An index that is kept in memory and is gone with it: for a few videos, and for tests.

It has the face of :class:`.moment_index.MomentIndex`, which is a folder.
"""
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .columns import COLUMNS
from .moment_index import Found
from .moment_rows import is_within
from .video_rows import VideoRow
from .windows import Window


class _Entry(NamedTuple):
    row: VideoRow
    windows: list[Window]
    columns: dict[str, np.ndarray]


class MemoryIndex:
    """Windows of videos and their embeddings.

    Args:
        width: E, the channels of an embedding.
        made_by: What the embeddings depend on.
    """

    def __init__(self, width: int, made_by: dict[str, Any] | None = None) -> None:
        self.width = width
        self.made_by = dict(made_by or {})
        self._entries: dict[str, _Entry] = {}

    @property
    def has_baseline(self) -> bool:
        """Whether every window has its frame mean's embedding."""
        entries = [entry for entry in self._entries.values() if entry.windows]
        return bool(entries) and all('baseline' in entry.columns for entry in entries)

    def count_windows(self) -> int:
        """Windows of all videos."""
        return sum(len(entry.windows) for entry in self._entries.values())

    def count_videos(self) -> int:
        """Videos that could be read."""
        return sum(not entry.row.error for entry in self._entries.values())

    def videos(self) -> Iterator[VideoRow]:
        """What is known of each video, also of those that could not be read."""
        yield from [entry.row for entry in self._entries.values()]

    def errors(self) -> dict[str, str]:
        """Path -> why, of the videos that could not be read."""
        return {path: entry.row.error for path, entry in self._entries.items() if entry.row.error}

    def is_current(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a video is known as what its file is now, readable or not."""
        entry = self._entries.get(path)
        return entry is not None and (entry.row.size, entry.row.mtime_ns) == (size, mtime_ns)

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None = None) -> None:
        """Keep a video in the place of what was known of it."""
        columns = dict(embedding=np.asarray(embeddings, np.float32))
        if baseline is not None:
            columns['baseline'] = np.asarray(baseline, np.float32)
            columns['time'] = columns['embedding'] - columns['baseline']
        assert all(column.shape == (len(windows), self.width) for column in columns.values())
        self._entries[video.path] = _Entry(video, list(windows), columns)

    def flush(self) -> None:
        """Nothing is to be written."""

    def needs_build(self) -> bool:
        """Whether an approximate index is missing: it never is."""
        return False

    def describe_search(self) -> str:
        """How windows are found."""
        return 'exact'

    def search(self, query: np.ndarray, top: int, *, scope: str | None = None,
               column: str = 'embedding', exclude_path: str | None = None) -> list[Found]:
        """As :meth:`.moment_index.MomentIndex.search`; of equal windows the first comes first."""
        paths = [path for path in self._entries if path != exclude_path and is_within(path, scope)]
        by = 'baseline' if column == 'time' else column
        found = [each for path in paths for each in self.scores(path, query, by)]
        order = np.argsort([-each.score for each in found], kind='stable')[:top]
        if column != by:
            found = [each for path in paths for each in self.scores(path, query, column)]
            order = order[np.argsort([-found[place].score for place in order], kind='stable')]
        return [found[place] for place in order]

    def scores(self, path: str, query: np.ndarray, column: str = 'embedding') -> list[Found]:
        """All windows of a video in the order of time; for arguments see :meth:`search`."""
        assert column in COLUMNS, column
        entry = self._entries.get(path)
        if entry is None or not entry.windows:
            return []
        return [Found(path, *window, float(score)) for window, score in
                zip(entry.windows, entry.columns[column] @ query)]

    def windows_of(self, path: str) -> tuple[list[Window], np.ndarray]:
        """A video's windows, and their (W, E) embeddings; none of one that is not known."""
        entry = self._entries.get(path)
        if entry is None:
            return [], np.zeros((0, self.width), np.float32)
        return entry.windows, entry.columns['embedding']

    def drop(self, paths: Iterable[str]) -> None:
        """Forget videos, where they are known."""
        for path in paths:
            self._entries.pop(path, None)

    def drop_missing(self) -> list[str]:
        """Forget the videos whose files are gone; return their paths."""
        gone = [path for path in self._entries if not os.path.exists(path)]
        self.drop(gone)
        return gone
