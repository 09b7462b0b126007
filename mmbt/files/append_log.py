"""Records written one by one, of which a kill loses the last at most."""
import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any, Dict, List, Mapping, Union


class Journal:
    """A file of JSON lines: what its records depend on, then the records; for ``with``.

    One process at a time writes to it. A line that a kill cut short is taken out.

    Args:
        path: The file; made, with its folder, where there is none.
        made_by: Names and values, as JSON has them, that all records depend on.

    Attributes:
        records (list): What the file held, and what was added since.

    Raises:
        ValueError: On entry, if the file's records depend on something else, it is no journal, or
            another process writes to it.
    """

    def __init__(self, path: Union[str, Path], made_by: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.made_by = json.loads(json.dumps(made_by))
        self.records: List[Dict] = []
        self._file: IO[bytes]
        self._begun = False

    def __enter__(self) -> 'Journal':
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self.path, 'a+b')
        try:
            self._lock()
            self._read()
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def append(self, record: Dict) -> None:
        """Keep a record; it is on the disk when this returns."""
        lines = [record] if self._begun else [dict(made_by=self.made_by), record]
        self._file.write(''.join(f'{json.dumps(line)}\n' for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._begun = True
        self.records.append(record)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f'{self.path} is being written by another run; wait for it, or write '
                             'to another file') from None

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
