"""An index of moments as it is read: what is known of each video, and the best windows."""
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from . import approximate
from .columns import COLUMNS, Times, columns_of, times_of, vectors_of
from .exact import ExactSearch
from .index_folder import MOMENTS, SETTINGS, VIDEOS, read_settings
from .lance_table import LanceTable, lance_errors, shown
from .moment_rows import is_within, moment_schema
from .probe import WHOLE, check_origin
from .stamps import PathLike
from .video_places import VideoPlaces
from .video_rows import VideoRow, VideoRows, video_schema
from .windows import Window


class Found(NamedTuple):
    """A window, in seconds, and its score: a cosine, or for 'time' a difference of cosines."""

    path: str
    start: float
    end: float
    score: float


class MomentReader:
    """Windows of videos with their embeddings; see :meth:`open`.

    A video is known by its absolute path, with its size and time of change. What other processes
    commit meanwhile is found.

    Attributes:
        folder (Path): Where it is.
        width (int): E, the channels of an embedding.
        made_by (dict): What the embeddings depend on.
    """

    def __init__(self, folder: PathLike, width: int, made_by: dict[str, Any]) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.width = width
        self.made_by = made_by
        self._moments = LanceTable(self.folder / MOMENTS, self.folder)
        self._moments.check_schema(moment_schema(width))
        videos = LanceTable(self.folder / VIDEOS, self.folder)
        videos.check_schema(video_schema())
        self._rows = VideoRows(videos)
        self._exact = ExactSearch(self._moments, width, self.folder / 'copies', self._check_vectors)
        self._places = VideoPlaces(self._moments)
        self._all: tuple[int, np.ndarray, dict, int] = -1, np.zeros(0, np.int64), {}, 0

    def _check_vectors(self) -> None:
        check_origin(self.folder, self.folder / SETTINGS, WHOLE)

    @classmethod
    def open(cls, folder: PathLike, made_by: dict[str, Any] | None = None) -> Self:
        """Open an index.

        Args:
            folder: Where :meth:`.moment_index.MomentIndex.create` made it.
            made_by: What it has to be made by, as there. Defaults to anything.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, or was made by something else; in one line.
        """
        return cls(folder, *read_settings(folder, made_by))

    def flush(self) -> None:
        """Commit what was added; see :meth:`.moment_index.MomentIndex.flush`."""

    def refresh(self) -> None:
        """Take in what other processes have committed."""
        self._moments.refresh()
        self._rows.refresh()

    @property
    def has_baseline(self) -> bool:
        """Whether every window has its frame mean's embedding."""
        self.flush()
        found = [known.baseline for known in self._rows.by_path.values() if known.row.windows]
        return bool(found) and all(found)

    def count_windows(self) -> int:
        """Windows of all videos."""
        self.flush()
        return sum(known.row.windows for known in self._rows.by_path.values())

    def count_videos(self) -> int:
        """Videos that could be read."""
        self.flush()
        return sum(not known.row.error for known in self._rows.by_path.values())

    def videos(self) -> Iterator[VideoRow]:
        """What is known of each video, also of those that could not be read."""
        self.flush()
        yield from [known.row for known in self._rows.by_path.values()]

    def errors(self) -> dict[str, str]:
        """Path -> why, of the videos that could not be read."""
        return {row.path: row.error for row in self.videos() if row.error}

    def known(self, path: str) -> VideoRow | None:
        """What is known of a video."""
        known = self._rows.by_path.get(path)
        return known.row if known else None

    def is_current(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a video is known as what its file is now, readable or not."""
        row = self.known(path)
        return row is not None and (row.size, row.mtime_ns) == (size, mtime_ns)

    def needs_build(self) -> bool:
        """Whether many windows are in no list of the approximate index, or there is none yet."""
        self.flush()
        return approximate.needs_build(self.folder, self._moments)

    def describe_search(self) -> str:
        """How windows are found, as 'approximate, recall@10 0.98 on 200 held-out queries'."""
        setting = approximate.setting_of(self.folder)
        if setting is None or self.count_windows() <= approximate.EXACT_BELOW:
            return 'exact'
        return approximate.in_words(setting)

    def search(self, query: np.ndarray, top: int, *, scope: str | None = None,
               column: str = 'embedding', exclude_path: str | None = None) -> list[Found]:
        """The windows that score best, best first; approximate where the index was built so.

        Args:
            query: (E,).
            top: How many windows.
            scope: A folder or file that they are of.
            column: 'embedding', 'baseline', or 'time' for the difference of their scores, by which
                the ``top`` best of 'baseline' are ordered.
            exclude_path: A video that they are not of.

        Raises:
            ValueError: If an argument is not allowed, or the index is damaged.
        """
        query = self._checked(query, top, column)
        self.flush()
        self.refresh()
        allowed, paths, windows = self._allowed(scope)
        if exclude_path is not None and exclude_path in self._rows.by_path:
            out = self._rows.by_path[exclude_path]
            allowed, windows = allowed[allowed != out.id], windows - out.row.windows
        setting = approximate.setting_of(self.folder) if column == 'embedding' else None
        if setting is not None and windows > approximate.EXACT_BELOW:
            times, scores = approximate.best(self._moments, setting, query, top, allowed, scope)
        else:
            times, scores = self._exact.best(query, top, allowed, column)
        return [Found(paths[video], start, end, score) for video, start, end, score in
                zip(*(values.tolist() for values in (*times, scores)))]

    def _allowed(self, scope: str | None) -> tuple[np.ndarray, dict[int, str], int]:
        """Numbers of a scope's videos, sorted; their paths; and how many windows they have."""
        if scope is None and self._all[0] == self._rows.changes:
            return self._all[1:]
        found = {known.id: path for path, known in self._rows.by_path.items()
                 if known.row.windows and is_within(path, scope)}
        windows = sum(self._rows.by_path[path].row.windows for path in found.values())
        allowed = np.sort(np.fromiter(found, np.int64, len(found)))
        if scope is None:
            self._all = self._rows.changes, allowed, found, windows
        return allowed, found, windows

    def _checked(self, query: np.ndarray, top: int, column: str) -> np.ndarray:
        query = np.asarray(query, np.float32)
        if query.shape != (self.width, ) or not np.isfinite(query).all():
            raise ValueError(f'index {shown(self.folder)}: a query must be {self.width} finite '
                             f'numbers, got an array of shape {query.shape}')
        if top < 1:
            raise ValueError(f'top must be at least 1, got {top}')
        if column not in COLUMNS:
            raise ValueError(f'column must be one of {", ".join(COLUMNS)}, got {column!r}')
        return query

    def scores(self, path: str, query: np.ndarray, column: str = 'embedding') -> list[Found]:
        """All windows of a video in the order of time; for arguments see :meth:`search`."""
        query = self._checked(query, 1, column)
        times, vectors = self._of(path, column)
        return [Found(path, start, end, score) for start, end, score in
                zip(times.start.tolist(), times.end.tolist(), (vectors @ query).tolist())]

    def windows_of(self, path: str) -> tuple[list[Window], np.ndarray]:
        """A video's windows, and their (W, E) embeddings; none of one that is not known."""
        times, vectors = self._of(path, 'embedding')
        return list(map(Window, times.start.tolist(), times.end.tolist())), vectors

    def _of(self, path: str, column: str) -> tuple[Times, np.ndarray]:
        self.flush()
        known = self._rows.by_path.get(path)
        number = known.id if known else -1
        places = self._places.of(number)
        with lance_errors(self.folder):
            rows = self._moments.data._take_rows(places.tolist(), columns=columns_of(column))
        times = times_of(rows, self.folder)
        order = np.argsort(times.start, kind='stable')
        return (Times(*(values[order] for values in times)),
                vectors_of(rows, column, self.width, self.folder)[order])
