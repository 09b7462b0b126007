"""Atomic writing: files are whole or not there, whenever a process is killed or a machine stops."""
import contextlib
import fcntl
import hashlib
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from .disk_errors import REMEDIES, named, refused_write

LONGEST_NAME = 230  # bytes, of the 255 that file systems take
HOST = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:4]
TAIL = re.compile(r'(?P<host>[0-9a-f]{4})[0-9a-f]{8}\.part')  # of a draft's name, after the path's
FORGOTTEN = 24 * 3600  # seconds after which another machine's draft has no writer any more


@contextlib.contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """A draft beside ``path`` to write to, which takes its place when the block ends well.

    Each writer has a draft of its own; of several that write the same file at once the last one's
    stays, whole. The draft is on the disk before it takes the place, and so is the folder's entry
    when this returns. Drafts for the same path whose writers have died are removed.

    Args:
        path: The file; its folder is made where there is none.

    Raises:
        OSError: If it cannot be written; it names ``path``, whatever was being written and by
            whom, and what stood there before is untouched.
    """
    path = Path(path)
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_dead_drafts(path)
        draft, held = _open_draft(path)
    try:
        try:
            yield draft
        except RuntimeError as error:
            refused_write(error, held, path)
            raise
        except OSError as error:
            unnamed = error.filename is None and error.errno in REMEDIES
            if unnamed or error.filename in (draft, str(draft)):
                raise OSError(error.errno, error.strerror, str(path)) from error
            raise
        with named(path):
            sync(draft)
            os.replace(draft, path)
            sync(path.parent)
    finally:
        draft.unlink(missing_ok=True)
        os.close(held)


def check_place(path: str | Path) -> None:
    """Refuse a file that cannot be written before the work that it is for.

    Raises:
        OSError: It names ``path``.
    """
    path = Path(path)
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft, held = _open_draft(path)
        draft.unlink()
        os.close(held)


def _stem_of(path: Path) -> str:
    """What the names of a path's drafts begin with."""
    name = os.fsencode(path.name)
    return path.name if len(name) <= LONGEST_NAME else hashlib.sha256(name).hexdigest()


def _open_draft(path: Path) -> tuple[Path, int]:
    """Make an empty draft, and lock it for as long as this process lives.

    Returns:
        The draft, and the descriptor that holds the lock.
    """
    while True:
        draft = path.with_name(f'{_stem_of(path)}.{HOST}{secrets.token_hex(4)}.part')
        held = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        with contextlib.suppress(OSError):  # where there are no locks, none is taken for dead
            fcntl.flock(held, fcntl.LOCK_EX)
        if draft.exists():  # else another writer took it for dead before it was locked
            return draft, held
        os.close(held)


def remove_dead_drafts(path: Path) -> None:
    """Remove the drafts of a path whose writers have died.

    Of those of this machine it is the lock that tells, which no dead process holds; locks may not
    travel between machines, so that another's draft is left until it is a day old.
    """
    stem = f'{_stem_of(path)}.'
    with os.scandir(path.parent) as entries:
        drafts = [(entry.path, tail['host']) for entry in entries if entry.name.startswith(stem)
                  and (tail := TAIL.fullmatch(entry.name[len(stem):]))]
    for draft, host in drafts:
        with contextlib.suppress(OSError):
            if host != HOST and time.time() - os.stat(draft).st_mtime < FORGOTTEN:
                continue
            held = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(draft)
            finally:
                os.close(held)


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk.

    Raises:
        OSError: If a file cannot be written. Folders that cannot be waited for are let be: some
            network file systems have no such call.
    """
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    except OSError:
        if not path.is_dir():
            raise
    finally:
        os.close(opened)
