"""Leases: which worker does what, told by files of a folder that many machines share.

A lease is a file ``NAME.k`` that its holder makes (as the one that does: exclusive creation) and
touches as long as it lives. Where it has not been touched for long, the next number, ``NAME.k+1``,
is free to be made; the highest number holds. So nothing is ever taken away by deleting or renaming,
and of those that find a dead lease one gets the next.

Times of one file are compared with those of another of the same folder, never with the clock of a
machine.
"""
import contextlib
import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from mmbt.files.disk_errors import named
from mmbt.files.shown import printable

BEATS = 5  # touches within the time after which a lease is dead
LONGEST = 4096  # bytes of a lease that are read


class LeaseLost(Exception):
    """Another has taken a lease, since this process has not touched it for long."""


class Leases:
    """The leases of a folder.

    Args:
        folder: Shared by all that take them; made where there is none.
        seconds: After which one that is not touched is dead.

    Raises:
        OSError: If the folder cannot be written to.
    """

    def __init__(self, folder: Path, seconds: float = 300.) -> None:
        if seconds <= 0:
            raise ValueError(f'a lease must last more than 0 seconds, got {seconds:g}')
        self.folder = folder
        self.seconds = seconds
        with named(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self.now()

    def now(self) -> float:
        """The time that the folder's file system has, in seconds."""
        path = self.folder / f'clock.{secrets.token_hex(8)}'
        with named(self.folder):
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                os.utime(path)
                return os.fstat(opened).st_mtime
            finally:
                os.close(opened)
                with contextlib.suppress(OSError):
                    os.unlink(path)

    def take(self, name: str) -> 'Lease | None':
        """Take a lease that is free or dead; None where another holds it.

        Raises:
            OSError: If it cannot be written.
        """
        number = 0
        newest = max(self._numbers(name), default=None)
        if newest is not None:
            if self._is_alive(self.folder / f'{name}.{newest}'):
                return None
            number = newest + 1
        path, token = self.folder / f'{name}.{number}', secrets.token_hex(8)
        with named(path):
            try:
                opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            except FileExistsError:  # another was quicker
                return None
            try:
                os.write(opened, json.dumps(dict(myself(), token=token)).encode())
            except BaseException:
                os.unlink(path)
                raise
            finally:
                os.close(opened)
            os.utime(path)
        return Lease(self, name, number, token)

    def holder(self, name: str) -> str:
        """Who holds a lease, in words."""
        newest = max(self._numbers(name), default=None)
        told = None if newest is None else _read(self.folder / f'{name}.{newest}')
        if told is None:
            return 'another worker'
        return printable(f"process {told.get('pid')} on {told.get('host')}")[:200]

    def _numbers(self, name: str) -> Iterator[int]:
        with named(self.folder), os.scandir(self.folder) as entries:
            for entry in entries:
                stem, _, number = entry.name.rpartition('.')
                if stem == name and number.isdecimal():
                    yield int(number)

    def _is_alive(self, path: Path) -> bool:
        try:
            opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)  # asks a file server anew
        except FileNotFoundError:  # given back meanwhile
            return False
        try:
            touched = os.fstat(opened).st_mtime
        finally:
            os.close(opened)
        if has_died(_read(path)):
            return False
        return self.now() - touched <= self.seconds


class Lease:
    """A lease that this process holds; for ``with``, within which it is touched by a thread.

    Args:
        leases: Where it is.
        name: Of what is leased.
        number: How many held it before.
        token: By which its file is told from another of this number.
    """

    def __init__(self, leases: Leases, name: str, number: int, token: str) -> None:
        self.leases, self.name, self.number, self.token = leases, name, number, token
        self.path = leases.folder / f'{name}.{number}'
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name=f'holds {name}')

    def __enter__(self) -> 'Lease':
        self._thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.give_back()

    def must_be_mine(self) -> None:
        """Raise LeaseLost where another has taken it meanwhile."""
        after = self.leases.folder / f'{self.name}.{self.number + 1}'
        if after.exists() or not self._is_there():
            raise LeaseLost(f'{self.name} is with {self.leases.holder(self.name)} now')

    def give_back(self) -> None:
        """Let others take it; the highest number goes last, so that none is alone in between."""
        with contextlib.suppress(OSError):
            for number in sorted(self.leases._numbers(self.name)) if self._is_there() else ():
                if number <= self.number:
                    (self.leases.folder / f'{self.name}.{number}').unlink(missing_ok=True)

    def _is_there(self) -> bool:
        told = _read(self.path)
        return told is not None and told.get('token') == self.token

    def _beat(self) -> None:
        while not self._over.wait(self.leases.seconds / BEATS):
            with contextlib.suppress(OSError):  # told where a fragment is written, if it lasts
                if self._is_there():
                    os.utime(self.path)


def myself() -> dict[str, str | int]:
    """This process, as a lease tells of its holder."""
    return dict(host=socket.gethostname(), machine=_machine(), pid=os.getpid(),
                started=_process(os.getpid())[1])


def has_died(holder: dict | None) -> bool:
    """Whether a holder was a process of this machine that is no more; not where nobody knows."""
    if holder is None or holder.get('machine') != _machine() or not _machine():
        return False
    pid = holder.get('pid')
    if type(pid) is not int or pid < 1:
        return False
    state, started = _process(pid)
    return state in ('', 'Z', 'X') or started != holder.get('started')


def _read(path: Path) -> dict | None:
    """What a lease tells of its holder; None where it does not tell (yet)."""
    try:
        with open(path, 'rb') as file:
            told = json.loads(file.read(LONGEST))
    except (OSError, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _machine() -> str:
    """Names within which a number means one process: that of this boot, and of this container."""
    try:
        boot = Path('/proc/sys/kernel/random/boot_id').read_text(encoding='ascii').strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ''


def _process(pid: int) -> tuple[str, str]:
    """State of a process, as one letter, and when it started; both '' where there is none."""
    try:
        told = Path(f'/proc/{pid}/stat').read_text(encoding='utf-8', errors='replace')
    except OSError:
        return '', ''
    fields = told.rpartition(')')[2].split()  # its name may hold anything
    return fields[0], fields[19]
