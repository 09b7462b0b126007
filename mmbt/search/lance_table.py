"""A table of Lance's in a folder: appended to, each commit on the disk before it counts."""
from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mmbt.files.atomic import sync
from mmbt.files.disk_errors import BY_WORDS
from mmbt.files.shown import printable

if TYPE_CHECKING:
    import pyarrow

FRAGMENT_ROWS = 2**17  # of a file after compaction
MANY_FRAGMENTS = 200  # beyond which a query opens too many files
CONFLICTS = ('conflict', 'Conflict')
_RAW = re.compile('[\udc80-\udcff]')
_ESCAPED = re.compile('\x00([89a-f][0-9a-f])')


class LanceTable:
    """A folder of rows that several processes may append to and delete from at once.

    Args:
        folder: The table's, made by :meth:`create`.
        index: The folder of the index that it belongs to, for errors.

    Raises:
        ValueError: If there is no table, or a damaged one.
    """

    def __init__(self, folder: Path, index: Path) -> None:
        self.folder = folder
        self.index = index
        if not folder.is_dir():
            raise ValueError(f'index {shown(index)} is damaged: it has no {folder.name}; make it '
                             'anew')
        with lance_errors(index):
            self.data = lance().dataset(os.fspath(folder))

    @classmethod
    def create(cls, folder: Path, index: Path, schema: pyarrow.Schema) -> LanceTable:
        """Make an empty table, or open the one that another process has made meanwhile."""
        import pyarrow
        with lance_errors(index):
            with contextlib.suppress(OSError):  # it is there
                lance().write_dataset(pyarrow.Table.from_batches([], schema), os.fspath(folder),
                                      mode='create', data_storage_version='stable')
        return cls(folder, index)

    def check_schema(self, schema: pyarrow.Schema) -> None:
        """Raise ValueError where the columns are others."""
        with lance_errors(self.index):
            found = self.data.schema
        for field in schema:
            place = found.get_field_index(field.name)
            if place < 0 or found.field(place).type != field.type:
                kind = 'missing' if place < 0 else f'of type {printable(found.field(place).type)}'
                raise ValueError(f'index {shown(self.index)} is damaged or of another version: in '
                                 f'{self.folder.name} the column {field.name} is {kind[:80]}; '
                                 'make it anew')

    def refresh(self) -> bool:
        """Take in what others have committed; whether there was anything."""
        before = self.data.version
        with lance_errors(self.index):
            self.data.checkout_latest()
        return self.data.version != before

    def append(self, rows: pyarrow.Table) -> None:
        """Commit rows. They are on the disk, then they count, then that is on the disk.

        Raises:
            OSError: If the disk refuses; none of the rows is there then.
        """
        library = lance()
        with lance_errors(self.index):
            parts = library.fragment.write_fragments(
                rows, os.fspath(self.folder), max_rows_per_file=FRAGMENT_ROWS,
                data_storage_version='stable')
            for part in parts:
                for file in part.files:
                    sync(self.folder / 'data' / file.path)
            sync(self.folder / 'data')
            before = self.data.version
            self.data = library.LanceDataset.commit(
                os.fspath(self.folder), library.LanceOperation.Append(parts), read_version=before)
            self._sync_versions(self.data.version - before)

    def _sync_versions(self, count: int) -> None:
        folder = self.folder / '_versions'
        newest = sorted(entry.name for entry in os.scandir(folder)
                        if entry.name.endswith('.manifest'))[:count]
        for name in newest:  # named by 2**64 - 1 - version, so that the newest comes first
            with contextlib.suppress(FileNotFoundError):  # compacted meanwhile
                sync(folder / name)
        sync(folder)

    def delete(self, column: str, values: Sequence[int], tries: int = 5) -> None:
        """Commit that the rows of these whole numbers are gone; what others add meanwhile stays."""
        if not values:
            return
        listed = ', '.join(map(str, map(int, values)))
        with lance_errors(self.index):
            for last in range(tries, 0, -1):
                try:
                    self.data.checkout_latest()
                    self.data.delete(f'{column} IN ({listed})')
                    return
                except (OSError, RuntimeError) as error:
                    if last == 1 or not any(word in str(error) for word in CONFLICTS):
                        raise

    def compact(self, keep: float) -> None:
        """Join small files; remove versions, and files of none, older than ``keep`` seconds."""
        with lance_errors(self.index):
            self.data.checkout_latest()
            self.data.optimize.compact_files(target_rows_per_fragment=FRAGMENT_ROWS)
            self.data.cleanup_old_versions(older_than=timedelta(seconds=keep))
            self._remove_leftovers(keep)

    def _remove_leftovers(self, keep: float) -> None:
        """Remove what writers that died, or met a full disk, have left: files of no version."""
        found = {path.name: path for name in ('data', '_indices')
                 for path in (self.folder / name).glob('*') if age_of_files(path) > keep}
        for version in reversed(self.data.versions()) if found else ():
            there = lance().dataset(os.fspath(self.folder), version=version['version'])
            for fragment in there.get_fragments():
                for file in fragment.data_files():
                    found.pop(file.path, None)
            for index in there.describe_indices():
                for segment in index.segments:
                    found.pop(str(segment.uuid), None)
            if not found:
                return
        for path in found.values():
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def fragments(self) -> list:
        """What the table is stored in, each with a data file that never changes."""
        with lance_errors(self.index):
            return self.data.get_fragments()

    def count(self) -> int:
        """Rows, without those that are deleted."""
        with lance_errors(self.index):
            return self.data.count_rows()


def age_of_files(path: Path) -> float:
    """Seconds since a file, or the newest one of a folder, was written; 0 where it is gone."""
    try:
        changed = max(each.stat().st_mtime for each in (path, *path.glob('*')))
    except FileNotFoundError:
        return 0.
    return time.time() - changed


def lance() -> ModuleType:
    """The library, imported where an index is used.

    Raises:
        ImportError: If it is missing, with what to install.
    """
    os.environ.setdefault('LANCE_LOG', 'error')
    try:
        import lance as library
        import lance.fragment
    except ImportError as error:
        raise ImportError(f'an index of videos needs pylance ({error}): pip install pylance '
                          'pyarrow') from error
    return library


@contextlib.contextmanager
def lance_errors(index: Path) -> Iterator[None]:
    """Inside, what Lance and Arrow raise becomes one line that names the index.

    Raises:
        OSError: For a disk that refuses; it names the index.
        ValueError: For all else that they raise, a panic of native code with it.
    """
    try:
        yield
    except BaseException as error:
        text = ' '.join(str(error).split())
        number = getattr(error, 'errno', None) or next(
            (number for words, number in BY_WORDS.items() if words in text), None)
        if isinstance(error, OSError) and number is not None and number != errno.ENOENT:
            raise OSError(number, os.strerror(number), os.fspath(index)) from error
        panicked = type(error).__name__ == 'PanicException'
        if isinstance(error, (ImportError, MemoryError)) or not (
                panicked or isinstance(error, Exception)):
            raise
        raise ValueError(f'index {shown(index)} cannot be read or is damaged '
                         f'({printable(text)[:200]}); make it anew') from error


def shown(path: str | os.PathLike) -> str:
    """A path in a message."""
    return printable(os.fspath(path))


def to_stored(path: str) -> str:
    """A path as UTF-8 can hold it: bytes that are none are NUL and two digits.

    Raises:
        ValueError: If it holds NUL, or half a character.
    """
    if '\x00' in path:
        raise ValueError(f'a path holds the character NUL: {printable(path)[:200]}')
    stored = _RAW.sub(lambda found: f'\x00{ord(found[0]) - 0xdc00:02x}', path)
    try:
        stored.encode()
    except UnicodeEncodeError:
        raise ValueError(f'a path holds half a character: {printable(path)[:200]}') from None
    return stored


def from_stored(stored: str) -> str:
    """The path that :func:`to_stored` was given."""
    if '\x00' not in stored:
        return stored
    return _ESCAPED.sub(lambda found: chr(0xdc00 + int(found[1], 16)), stored)


def literal(text: str) -> str:
    """A text in a filter."""
    return "'" + text.replace("'", "''") + "'"


def below(folder: str) -> str:
    """A filter for the paths below a folder, by a range, which an index of the column answers."""
    start = to_stored(folder.rstrip('/')) + '/'
    return f"path >= {literal(start)} AND path < {literal(start[:-1] + '0')}"
