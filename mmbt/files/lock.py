"""Locks that say who holds them, for files that one process at a time may write."""
import contextlib
import fcntl
import json
import os
import socket
import time
import warnings
import weakref
from pathlib import Path
from types import TracebackType

from .disk_errors import named

POLL = 0.05  # seconds between two tries
LONGEST = 4096  # bytes of a lock file that are read


class Lock:
    """A file that one process at a time holds, with its name in it; for ``with``.

    The system gives the lock back when the process ends, however it ends, so that nothing stale
    stands in the way; forked children do not hold it on. On NFS it works across machines, as far as
    the mount passes locks on. Where a file system has none, a warning says so.

    Args:
        path: The lock file, made for as long as it is held: ``NAME.lock``.
        what: What is written under it, for the message; the path without ``.lock`` by default.
        wait: Seconds to wait for another holder.
        remedy: What its user may do, for the message.

    Raises:
        Locked: On entry, if another process holds it on.
        OSError: On entry, if the file cannot be written.
    """

    def __init__(self, path: str | Path, what: str | None = None, wait: float = 0.,
                 remedy: str = 'wait for it, or write elsewhere') -> None:
        self.path = Path(path)
        self.what = str(self.path.with_suffix('')) if what is None else what
        self.wait = wait
        self.remedy = remedy
        self._descriptor: int | None = None

    def __enter__(self) -> 'Lock':
        self.acquire()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock; see the class for what is raised."""
        deadline = time.monotonic() + self.wait
        while not self._try():
            if time.monotonic() >= deadline:
                raise Locked(f'{self.what} is being written by another run '
                             f'({_read_holder(self.path)}); {self.remedy}')
            time.sleep(POLL)

    def release(self) -> None:
        """Give the lock back, if it is held by this process."""
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            os.unlink(self.path)
        os.close(self._descriptor)
        self._descriptor = None

    def _try(self) -> bool:
        """Take the lock if nobody holds it."""
        with named(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = _open_locked(self.path)
            if opened is None:
                return False
            self._descriptor = opened
            HELD.add(self)
            try:
                os.ftruncate(opened, 0)
                os.pwrite(opened, json.dumps(_myself()).encode(), 0)
            except BaseException:
                self.release()
                raise
        return True


class Locked(ValueError):
    """Another process holds a lock."""


HELD: 'weakref.WeakSet[Lock]' = weakref.WeakSet()


def _drop_in_child() -> None:
    """Let a forked child not hold its parent's locks."""
    for lock in list(HELD):
        if lock._descriptor is not None:
            os.close(lock._descriptor)
            lock._descriptor = None


os.register_at_fork(after_in_child=_drop_in_child)


def _open_locked(path: Path) -> int | None:
    """A descriptor of the file at a path that no other has locked; None where one has."""
    while True:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not flock(opened, path):
                os.close(opened)
                return None
            if os.path.samestat(os.fstat(opened), os.stat(path)):
                return opened
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)  # given back, and removed, since it was opened


def flock(descriptor: int, path: Path) -> bool:
    """Lock an open file; False where another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        warnings.warn(f'{path}: the file system has no locks ({error.strerror}); let no two '
                      'machines write there at a time', stacklevel=5)
        return not _holder_lives(path)
    return True


def _holder_lives(path: Path) -> bool:
    """Whether a lock file names another process of this machine that is alive."""
    try:
        holder = json.loads(path.read_bytes()[:LONGEST])
        if holder['host'] != socket.gethostname() or holder['pid'] == os.getpid():
            return False
        os.kill(int(holder['pid']), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return False
    return True


def _myself() -> dict[str, str | int]:
    """What a lock file holds."""
    return dict(host=socket.gethostname(), pid=os.getpid(),
                since=time.strftime('%Y-%m-%d %H:%M:%S'))


def _read_holder(path: Path) -> str:
    """Who holds a lock, in words."""
    try:
        with open(path, 'rb') as file:
            holder = json.loads(file.read(LONGEST))
        host, pid, since = (str(holder[name])[:100] for name in ('host', 'pid', 'since'))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 'one that has not written its name'
    words = f'process {pid} on {host} since {since}'
    return ''.join(letter if letter.isprintable() else '?' for letter in words)
