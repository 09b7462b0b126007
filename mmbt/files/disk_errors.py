"""What a disk refuses: a file that cannot be written, by name."""
import contextlib
import errno
import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

# What a user can put right, and how.
REMEDIES = {
    errno.ENOSPC: 'free some space, or write elsewhere',
    errno.EDQUOT: 'free some of your quota, or write elsewhere',
    errno.EFBIG: 'raise the limit on the size of files (ulimit -f), or write elsewhere',
    errno.EROFS: 'write elsewhere',
    errno.EACCES: 'allow it, or name another place',
    errno.EPERM: 'allow it, or name another place',
    errno.EIO: 'check the disk, or write elsewhere',
    errno.ENAMETOOLONG: 'take a shorter name',
}
BY_WORDS = {os.strerror(number): number for number in REMEDIES}

# How OSErrors print themselves, and how native libraries do.
PRINTED = re.compile(
    r"\[Errno (?P<errno>\d+)\] [^:]*(?:: (?P<quote>['\"])(?P<name>.*)(?P=quote))?$")
TORCH_WRITES = ('PytorchStreamWriter', 'inline_container.cc')


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """Inside, an OSError about a part of the writing of ``path`` names the path."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def refused_write(error: RuntimeError, descriptor: int, path: Path) -> None:
    """Raise what the disk said where torch's writer failed, in place of torch's own error.

    torch's C++ tells neither file nor reason; a write of a few kilobytes more meets the reason.

    Args:
        error: What was raised.
        descriptor: Of the file that was being written.
        path: The name that is told.

    Raises:
        OSError: The disk's reason, or EIO where it has passed.
    """
    if not any(words in str(error) for words in TORCH_WRITES):
        return
    with named(path):
        os.lseek(descriptor, 0, os.SEEK_END)
        for _ in range(16):
            os.write(descriptor, bytes(2**16))
    raise OSError(errno.EIO, os.strerror(errno.EIO), str(path)) from error


def describe_disk_error(error: BaseException) -> str | None:
    """One line for an error of the disk: the file, what it said, and what to do.

    Args:
        error: An OSError, one that a worker process passed on as text, or a native library's
            error that ends in the system's words.

    Returns:
        The line; None where it is no such error.
    """
    text = str(error).strip()
    number = error.errno if isinstance(error, OSError) else None
    file = file_of(error)
    if number is None:
        last = text.splitlines()[-1] if text else ''
        printed = PRINTED.search(last)
        if printed:
            number, file = int(printed['errno']), printed['name'] or file
        else:
            number = next((BY_WORDS[words] for words in BY_WORDS if words in last), None)
            file = last.rsplit(':', 1)[0] if number else file
    if number not in REMEDIES:
        return None
    words = os.strerror(number)
    return f'{file or "a file cannot be written"}: {words}; {REMEDIES[number]}'


def file_of(error: BaseException) -> str | None:
    """The file that an error is about: what it names, else what was open where it was raised."""
    if isinstance(error, OSError) and error.filename is not None:
        name = error.filename2 if error.filename2 is not None else error.filename
        return os.fsdecode(name) if isinstance(name, (str, bytes)) else None
    return _open_file(error.__traceback__)


def _open_file(traceback: TracebackType | None) -> str | None:
    """The name of a file that the innermost frame that has one holds in a variable."""
    found = None
    while traceback is not None:
        for value in traceback.tb_frame.f_locals.values():
            if isinstance(value, logging.FileHandler):
                value = value.stream
            name = getattr(value, 'name', None) if isinstance(value, io.IOBase) else None
            found = name if isinstance(name, str) else found
        traceback = traceback.tb_next
    return found
