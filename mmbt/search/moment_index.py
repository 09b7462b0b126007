"""Moments of videos: an index that is a folder, appended to and never rewritten."""
from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import read_json
from mmbt.files.lock import Lock

from . import approximate
from .exact import COLUMNS, ExactSearch, Times, times_of, vectors_of
from .index import PathLike
from .lance_table import MANY_FRAGMENTS, LanceTable, lance_errors, shown, to_stored
from .moment_rows import check_made_by, is_within, moment_rows, moment_schema
from .old_index import read_old
from .probe import check_origin, remember
from .video_rows import (
    LONGEST_ERROR,
    Known,
    Numbers,
    VideoRow,
    VideoRows,
    age_of,
    fault_of,
    video_schema,
)
from .windows import Window

FORM = 'mmbt moments 1'
SETTINGS = 'index.json'
MOST_SETTINGS = 2**22  # bytes
WIDEST = 2**16
ROWS_AT_ONCE = 1000  # windows, after which they are committed
SECONDS_AT_ONCE = 30.  # or so much time
IN_FLIGHT = 3600.  # seconds that another writer may take between its two commits
FAR = 0.02  # from 1, as the length of an embedding may be


class Found(NamedTuple):
    """A window, in seconds, and its score: a cosine, or for 'time' a difference of cosines."""

    path: str
    start: float
    end: float
    score: float


class MomentIndex:
    """Windows of videos with their embeddings; see :meth:`create` and :meth:`open`.

    A video is known by its absolute path, with its size and time of change. Several processes may
    add to an index at once; what is killed leaves the videos that it has committed.

    Attributes:
        folder (Path): Where it is.
        width (int): E, the channels of an embedding.
        made_by (dict): What the embeddings depend on.
    """

    def __init__(self, folder: PathLike, width: int, made_by: dict[str, Any]) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.width = width
        self.made_by = made_by
        self._moments = LanceTable(self.folder / 'moments.lance', self.folder)
        self._moments.check_schema(moment_schema(width))
        videos = LanceTable(self.folder / 'videos.lance', self.folder)
        videos.check_schema(video_schema())
        self._rows = VideoRows(videos)
        self._exact = ExactSearch(self._moments, width, self.folder / 'copies')
        self._numbers = Numbers()
        self._waiting: dict[str, tuple] = {}
        self._count = 0
        self._since = time.monotonic()

    @classmethod
    def create(cls, folder: PathLike, width: int, made_by: dict[str, Any]) -> MomentIndex:
        """Make an index, or open the one that is there.

        Args:
            folder: Where; its parents are made.
            width: E.
            made_by: What the embeddings depend on, as JSON has it: 'model' (a hash), 'model_card',
                'pipeline', 'windows', and what else has to be the same.

        Raises:
            ValueError: If the folder holds something else, or another model's index.
            OSError: If it cannot be written.
        """
        folder = Path(os.path.abspath(folder))
        settings = folder / SETTINGS
        if not 1 <= width <= WIDEST:
            raise ValueError(f'width must be 1 to {WIDEST}, got {width}')
        if not settings.exists():
            others = [name for name in os.listdir(folder)
                      if name not in ('moments.lance', 'videos.lance')
                      and not name.startswith(SETTINGS)] if folder.is_dir() else []
            if others:
                raise ValueError(f'{shown(folder)} is no index and not empty: name a new folder '
                                 'for the index')
            folder.mkdir(parents=True, exist_ok=True)
            with Lock(folder / f'{SETTINGS}.lock', f'index {folder}', wait=60.):
                if not settings.exists():
                    LanceTable.create(folder / 'moments.lance', folder, moment_schema(width))
                    LanceTable.create(folder / 'videos.lance', folder, video_schema())
                    with whole_file(settings) as draft:
                        draft.write_text(json.dumps(dict(form=FORM, width=width, made_by=made_by),
                                                    indent=1), encoding='utf-8')
                    remember(folder, settings)
        index = cls.open(folder, made_by)
        if index.width != width:
            raise ValueError(f'index {shown(folder)} has embeddings of {index.width} channels, and '
                             f'the model gives {width}: make it anew')
        return index

    @classmethod
    def open(cls, folder: PathLike, made_by: dict[str, Any] | None = None) -> MomentIndex:
        """Open an index.

        Args:
            folder: Where :meth:`create` made it.
            made_by: What it has to be made by, as there. Defaults to anything.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is damaged, or was made by something else; in one line.
        """
        settings = Path(folder) / SETTINGS
        if not settings.is_file():
            raise FileNotFoundError(f'index {shown(folder)} is missing: it has no {SETTINGS}')
        found = read_json(settings, dict, 'index', most=MOST_SETTINGS)
        width, theirs = found.get('width'), found.get('made_by')
        if found.get('form') != FORM or not isinstance(theirs, dict) or not (
                type(width) is int and 1 <= width <= WIDEST):
            raise ValueError(f'{shown(settings)} is damaged or of another version of mmbt: make '
                             'the index anew')
        if made_by is not None:
            check_made_by(str(folder), made_by, theirs)
        check_origin(Path(os.path.abspath(folder)), settings)
        return cls(folder, width, theirs)

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
        if path in self._waiting:
            return self._waiting[path][0]
        known = self._rows.by_path.get(path)
        return known.row if known else None

    def is_current(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a video is known as what its file is now, readable or not."""
        row = self.known(path)
        return row is not None and (row.size, row.mtime_ns) == (size, mtime_ns)

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None = None) -> None:
        """Keep a video in the place of what was known of it; committed now and then.

        Args:
            video: Its row; without windows where it has an error.
            windows: W of them, in seconds.
            embeddings: (W, E) of length 1.
            baseline: (W, E), those of the mean of its frames.

        Raises:
            ValueError: If these do not belong together, or are not finite.
            OSError: If the disk refuses; what was not committed is kept for the next try.
        """
        to_stored(video.path)
        video = video._replace(error=video.error[:LONGEST_ERROR])
        vectors = [np.asarray(each, np.float32) for each in (embeddings, baseline)
                   if each is not None]
        why = fault_of(video)
        times = np.array([tuple(window) for window in windows], np.float64).reshape(-1, 2)
        if not why and video.windows != len(windows):
            why = f'has {len(windows)} windows, and its row says {video.windows}'
        if not why and not (np.isfinite(times).all() and (times >= 0).all()
                            and (times[:, 0] <= times[:, 1]).all()):
            why = 'has windows with times that cannot be'
        for each in vectors:
            if not why and each.shape != (len(windows), self.width):
                why = f'has embeddings of shape {each.shape}, not {(len(windows), self.width)}'
            if not why and not (np.abs(np.linalg.norm(each, axis=1) - 1) < FAR).all():
                why = 'has embeddings that are not of length 1'
        if why:
            raise ValueError(f'index {shown(self.folder)}: {shown(video.path)[:200]} {why}')
        if not self._waiting:
            self._since = time.monotonic()
        self._waiting.pop(video.path, None)
        self._waiting[video.path] = video, times, vectors
        self._count += len(windows) + 1
        if self._count >= ROWS_AT_ONCE or time.monotonic() - self._since > SECONDS_AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Commit what was added: it is on the disk when this returns.

        Raises:
            OSError: If the disk refuses; what was added is kept for the next try.
        """
        if not self._waiting:
            return
        known = [Known(video, self._numbers.next(), len(vectors) == 2)
                 for video, _, vectors in self._waiting.values()]
        replaced = self._rows.all_ids(self._waiting)
        rows = moment_rows(known, list(self._waiting.values()), self.width)
        if rows.num_rows:
            self._moments.append(rows)
        self._rows.append(known)
        self._waiting, self._count = {}, 0
        self._delete(replaced)
        if len(self._moments.fragments()) > MANY_FRAGMENTS:
            self._moments.compact(IN_FLIGHT)
        if len(self._rows.table.fragments()) > MANY_FRAGMENTS:
            self._rows.table.compact(IN_FLIGHT)
            self._rows.refresh()

    def _delete(self, ids: list[int]) -> None:
        """Take rows out that count no more. The videos go last, as those that name the windows."""
        if ids:
            self._moments.delete('video', ids)
            self._rows.table.delete('id', ids)
            self._rows.refresh()

    def refresh(self) -> None:
        """Take in what other processes have committed."""
        self._moments.refresh()
        self._rows.refresh()

    def search(self, query: np.ndarray, top: int, *, scope: str | None = None,
               column: str = 'embedding', exclude_path: str | None = None) -> list[Found]:
        """The windows that score best, best first; approximate where :meth:`build` made it so.

        Args:
            query: (E,).
            top: How many windows.
            scope: A folder or file that they are of.
            column: 'embedding', 'baseline', or 'time' for the difference of their scores.
            exclude_path: A video that they are not of.

        Raises:
            ValueError: If an argument is not allowed, or the index is damaged.
        """
        query = self._checked(query, top, column)
        self.flush()
        self.refresh()
        paths = {known.id: path for path, known in self._rows.by_path.items() if known.row.windows
                 and path != exclude_path and is_within(path, scope)}
        allowed = np.sort(np.fromiter(paths, np.int64, len(paths)))
        windows = sum(self._rows.by_path[path].row.windows for path in paths.values())
        setting = approximate.setting_of(self.folder) if column == 'embedding' else None
        if setting is not None and windows > approximate.EXACT_BELOW:
            times, scores = approximate.best(self._moments, setting, query, top, allowed, scope)
        else:
            times, scores = self._exact.best(query, top, allowed, column)
        return [Found(paths[video], start, end, score) for video, start, end, score in
                zip(*(values.tolist() for values in (*times, scores)))]

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
        with lance_errors(self.folder):
            rows = self._moments.data.to_table(
                filter=f'video = {known.id if known else -1}',
                columns=['video', 'start', 'end', 'embedding', 'baseline'])
        times = times_of(rows, self.folder)
        order = np.argsort(times.start, kind='stable')
        return (Times(*(values[order] for values in times)),
                vectors_of(rows, column, self.width, self.folder)[order])

    def drop(self, paths: Iterable[str]) -> None:
        """Forget videos, where they are known."""
        self.flush()
        self.refresh()
        ids = self._rows.all_ids(paths)
        if ids:  # the rows first: what names no video counts for nothing
            self._rows.table.delete('id', ids)
            self._moments.delete('video', ids)
            self._rows.refresh()

    def drop_missing(self) -> list[str]:
        """Forget the videos whose files are gone; return their paths."""
        gone = [row.path for row in self.videos() if not os.path.exists(row.path)]
        self.drop(gone)
        return gone

    def compact(self, keep: float = IN_FLIGHT) -> None:
        """Take out what counts no more, join small files, remove versions of before.

        Args:
            keep: Seconds for which older versions stay for those who read them, and for which
                windows that belong to no video yet are taken for another writer's.
        """
        self.flush()
        self.refresh()
        with lance_errors(self.folder):
            stored = self._moments.data.to_table(columns=['video'])['video'].unique().to_pylist()
        live = {known.id for known in self._rows.by_path.values()}
        self._delete([id for ids in self._rows.stale.values() for id in ids])
        self._moments.delete('video', [id for id in stored if id not in live
                                       and age_of(id) > keep])
        self._moments.compact(keep)
        self._rows.table.compact(keep)
        self.refresh()
        self._exact.remove_old_copies()

    def build(self, recall: float = 0.98) -> dict[str, Any]:
        """Make or renew the approximate index of more than 100,000 windows, and test it.

        Args:
            recall: Share of the exact best ten that it has to find.

        Returns:
            'kind' ('exact' or 'approximate'), 'windows', and of an approximate one 'recall' as
            measured on 100 queries, with its setting.
        """
        self.compact()
        allowed = np.sort(np.array([known.id for known in self._rows.by_path.values()], np.int64))
        return approximate.build(self.folder, self._moments, self._exact, allowed, recall)

    def import_npz(self, path: PathLike) -> int:
        """Add the videos of an index of before, each with one window over the whole of it.

        Returns:
            How many, without those that are known as the same file already.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is none, or another model's.
        """
        count = 0
        for video, vectors in read_old(path, self.made_by, self.width, self.folder):
            if video.error:
                if self.known(video.path) is None:
                    self.add(video, [], vectors)
            elif not self.is_current(video.path, video.size, video.mtime_ns):
                self.add(video, [Window(0., 0.)], vectors)
                count += 1
        self.flush()
        return count
