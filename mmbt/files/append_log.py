"""Append-only log: records written one by one, of which a kill loses the last at most."""
import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from .atomic import sync
from .disk_errors import named
from .lock import Lock


class Journal:
    """A file of JSON lines: what its records depend on, then the records; for ``with``.

    One process at a time writes to it. A line that a kill cut short is taken out.

    Args:
        path: The file; made, with its folder, where there is none.
        made_by: Names and values, as JSON has them, that all records depend on.

    Attributes:
        records: What the file held, and what was added since.

    Raises:
        ValueError: On entry, if the file's records depend on something else, it is no journal, or
            another process writes to it.
        OSError: If it cannot be written.
    """

    def __init__(self, path: str | Path, made_by: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.made_by = json.loads(json.dumps(made_by))
        self.records: list[dict] = []
        self._file: IO[bytes]
        self._lock = Lock(f'{path}.lock', str(path), remedy='wait for it, or write to another file')
        self._begun = False

    def __enter__(self) -> 'Journal':
        with contextlib.ExitStack() as opened:
            opened.enter_context(self._lock)
            self._file = opened.enter_context(open(self.path, 'a+b', buffering=0))
            self._read()
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def append(self, record: dict) -> None:
        """Keep a record; it is on the disk when this returns."""
        lines = [record] if self._begun else [dict(made_by=self.made_by), record]
        with named(self.path):
            self._write(''.join(f'{json.dumps(line)}\n' for line in lines).encode())
        if not self._begun:
            sync(self.path.parent)
        self._begun = True
        self.records.append(record)

    def _write(self, data: bytes) -> None:
        """Write all of it, or, where the disk refuses, take back the part that was written."""
        begin = os.fstat(self._file.fileno()).st_size
        try:
            while data:
                data = data[self._file.write(data):]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(begin)
            raise

    def _read(self) -> None:
        self._file.seek(0)
        data = self._file.read()
        whole = data[:data.rfind(b'\n') + 1]
        try:
            lines = [json.loads(line) for line in whole.splitlines()]
            theirs = lines[0]['made_by'] if lines else self.made_by
            if not all(isinstance(each, dict) for each in (theirs, *lines)):
                raise TypeError('a line without names')
        except (ValueError, LookupError, TypeError, RecursionError):
            raise ValueError(f'{self.path} is no journal of results, or damaged; delete it to '
                             'begin anew') from None
        if theirs != self.made_by:
            names = [name for name in {**theirs, **self.made_by}
                     if theirs.get(name) != self.made_by.get(name)]
            raise ValueError(f'{self.path} holds results of another {" and ".join(names)}; write '
                             'to another file, or delete it to begin anew')
        if not lines and data and not data.startswith(b'{'):
            raise ValueError(f'{self.path} is no journal of results; write to another file')
        self._file.truncate(len(whole))
        self._begun = bool(lines)
        self.records = lines[1:]
