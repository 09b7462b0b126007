"""What an index knows of each video: one row, of which the newest of a path counts."""
from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from mmbt.files.shown import printable

from .lance_table import LanceTable, from_stored, lance_errors, shown, to_stored

if TYPE_CHECKING:
    import pyarrow

LONGEST_PATH = 4096 * 3  # bytes, as stored
LONGEST_ERROR = 2000


class VideoRow(NamedTuple):
    """A video as it was when it was encoded; ``error`` is '' where it could be read."""

    path: str
    size: int  # bytes
    mtime_ns: int
    duration: float  # seconds, 0 where unknown
    windows: int
    error: str = ''


class Known(NamedTuple):
    """A row, the number that its windows carry, and whether they have a baseline."""

    row: VideoRow
    id: int
    baseline: bool


def video_schema() -> pyarrow.Schema:
    """The columns of the table of videos."""
    import pyarrow as pa
    return pa.schema([('id', pa.int64()), ('path', pa.string()), ('size', pa.int64()),
                      ('mtime_ns', pa.int64()), ('duration', pa.float64()),
                      ('windows', pa.int64()), ('error', pa.string()), ('baseline', pa.bool_())])


class VideoRows:
    """The table of videos, held in memory by path and taken in as it grows.

    Rows are added, and the one with the highest number of a path counts: numbers rise with time.
    Two writers need no lock so, and one that is killed leaves nothing half done.

    Attributes:
        by_path: Path -> :class:`Known`.
        stale: Path -> numbers of rows that a newer one has replaced, and are not deleted yet.
    """

    def __init__(self, table: LanceTable) -> None:
        self.table = table
        self.by_path: dict[str, Known] = {}
        self.stale: dict[str, list[int]] = {}
        self.changes = 0
        self._read: dict[tuple, None] = {}
        self.refresh()

    def refresh(self) -> None:
        """Take in what has been committed."""
        self.table.refresh()
        found = {}
        for fragment in self.table.fragments():
            with lance_errors(self.table.index):
                found[_key(fragment)] = fragment
        if found.keys() == self._read.keys():
            return
        if self._read.keys() - found.keys():  # rows have been deleted, or files joined
            self.by_path, self.stale, self._read = {}, {}, {}
        for key in found.keys() - self._read.keys():
            with lance_errors(self.table.index):
                columns = found[key].to_table().to_pydict()
            self._take_in(columns)
            self._read[key] = None
        self.changes += 1

    def _take_in(self, columns: dict[str, list]) -> None:
        names = ('id', 'baseline', 'path', *VideoRow._fields[1:])
        for id, baseline, stored, *rest in zip(*(columns[name] for name in names)):
            if None in (id, baseline, stored, *rest):
                raise ValueError(f'index {shown(self.table.index)} is damaged: a row of its videos '
                                 'lacks a value; make it anew')
            row = VideoRow(from_stored(stored), *rest)
            why = fault_of(row)
            if why:
                raise ValueError(f'index {shown(self.table.index)} is damaged: its video '
                                 f'{printable(row.path)[:200]} {why}; make it anew')
            before = self.by_path.get(row.path)
            if before is None or before.id < id:
                self.by_path[row.path] = Known(row, id, baseline)
                id = before.id if before is not None else id
            if before is not None:
                self.stale.setdefault(row.path, []).append(id)

    def append(self, known: Iterable[Known]) -> None:
        """Commit rows."""
        import pyarrow as pa
        rows = [dict(each.row._asdict(), path=to_stored(each.row.path), id=each.id,
                     baseline=each.baseline) for each in known]
        self.table.append(pa.Table.from_pylist(rows, schema=video_schema()))
        self.refresh()

    def all_ids(self, paths: Iterable[str]) -> list[int]:
        """Numbers of every row of these paths, replaced ones with them."""
        return [id for path in paths if path in self.by_path
                for id in (self.by_path[path].id, *self.stale.get(path, ()))]


def fault_of(row: VideoRow) -> str:
    """Why a row cannot be, as the end of a sentence; '' where it can."""
    if not row.path.startswith('/') or '\x00' in row.path or len(row.path) > LONGEST_PATH:
        return 'has no absolute path'
    if not (isfinite(row.duration) and row.duration >= 0):
        return f'lasts {row.duration} seconds'
    if row.windows < 0:
        return f'has {row.windows} windows'
    if row.error and row.windows:
        return 'has windows and an error'
    if len(row.error) > LONGEST_ERROR:
        return f'has an error of {len(row.error):,} characters'
    return ''


class Numbers:
    """Numbers for rows that rise with time, of which no two writers are likely to take the same."""

    def __init__(self) -> None:
        self.last = 0

    def next(self) -> int:
        """A number above those before."""
        now = time.time_ns() >> 20 << 20  # milliseconds
        self.last = max(self.last + 1, now + secrets.randbits(20))
        return self.last


def age_of(id: int) -> float:
    """Seconds since a number was given."""
    return (time.time_ns() - id) / 1e9


def _key(fragment: Any) -> tuple:
    """A fragment's files; they change when rows of it are deleted or it is joined with others."""
    return (*(file.path for file in fragment.data_files()), str(fragment.deletion_file()))
