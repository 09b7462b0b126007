"""Text files of others, read in one way: their encoding and their lines.

Text is UTF-8, with a byte-order mark or without one. Its lines end with LF, CRLF or CR and with
nothing else: U+2028 and its like belong to the sentence that they stand in. What is read is
bounded, and every refusal is one line that names the file and, where there is one, the line.
"""
import os
import os.path as osp
import re
from collections.abc import Iterator
from functools import partial
from typing import IO

MOST_BYTES = 2**31  # of a file that is read as a whole
LONGEST_LINE = 2**24  # characters

_ENDS = re.compile(b'\r\n|\r|\n')


def read_text(path: str | os.PathLike, what: str = 'file', key: str = '',
              most: int = MOST_BYTES) -> str:
    """Return the text of a file, its ends of lines as they are.

    Args:
        path: The file.
        what: What it is, for errors.
        key: What is set to its path, for errors.
        most: Bytes that it may have. Defaults to 2 GiB.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is empty, too large, not UTF-8, or holds a NUL.
    """
    must_be_file(path, what, key)
    size = osp.getsize(path)
    if size > most:
        raise ValueError(f'{path} has {size:,} bytes, more than the {most:,} that are read: is it '
                         f'the {what}?')
    with open(path, 'rb') as file:
        data = file.read()
    try:
        text = data.decode('utf-8-sig')
    except UnicodeDecodeError:
        raise ValueError(_not_utf8(path)) from None
    if '\0' in text:
        raise ValueError(_nul(path, what, line_of(text, text.index('\0'))))
    if not text or text.isspace():
        raise ValueError(f'{path} is empty: fetch the {what} again')
    return text


def stream_text(path: str | os.PathLike, what: str = 'file', key: str = '') -> Iterator[str]:
    """Yield the lines of a file with their ends, one in memory at a time; see :func:`read_text`."""
    must_be_file(path, what, key)
    with open(path, encoding='utf-8-sig', newline='') as file:
        try:
            if not any(not line.isspace() for line in _bounded(path, what, file)):
                raise ValueError(f'{path} is empty: fetch the {what} again')
            file.seek(0)
            yield from _bounded(path, what, file)
        except UnicodeDecodeError:
            raise ValueError(_not_utf8(path)) from None


def read_lines(path: str | os.PathLike, what: str = 'file',
               key: str = '') -> Iterator[tuple[int, str]]:
    """Yield number, from 1, and text of each line that is not blank; see :func:`read_text`."""
    for number, line in enumerate(stream_text(path, what, key), start=1):
        if line.strip():
            yield number, line.rstrip('\r\n').lstrip('\ufeff')


def must_be_file(path: str | os.PathLike, what: str = 'file', key: str = '') -> None:
    """Raise FileNotFoundError if a file is missing, ValueError if it is a folder."""
    if osp.isdir(path):
        raise ValueError(f'{what} {path} is a folder: name a file')
    if not osp.isfile(path):
        raise FileNotFoundError(f'{what} {path} is missing: put it there'
                                f'{f" or set {key}" if key else ""}')


def shorten(value: object, limit: int = 80) -> str:
    """A value on one line, for errors: its repr, cut."""
    text = repr(value[:limit + 1] if isinstance(value, str) else value)
    return text if len(text) <= limit else f'{text[:limit]}...'


def line_of(text: str, position: int) -> int:
    """The line, from 1, of a place in a text."""
    return text.count('\n' if '\n' in text else '\r', 0, position) + 1


def is_whole(text: str) -> bool:
    """Whether a text can be written as UTF-8: it holds no half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _bounded(path: str | os.PathLike, what: str, file: IO[str]) -> Iterator[str]:
    """Yield the lines of an open file; ValueError for one that is too long or holds a NUL."""
    for number, line in enumerate(iter(partial(file.readline, LONGEST_LINE), ''), start=1):
        if '\0' in line:
            raise ValueError(_nul(path, what, number))
        if len(line) == LONGEST_LINE:
            raise ValueError(f'{path} line {number} is longer than {LONGEST_LINE:,} characters: is '
                             f'it the {what}?')
        yield line


def _not_utf8(path: str | os.PathLike) -> str:
    """Say which byte of a file is not UTF-8, and how to convert it."""
    with open(path, 'rb') as file:
        data = file.read(4)
        if data[:2] in (b'\xff\xfe', b'\xfe\xff'):
            return (f'{path} is not UTF-8 text but UTF-16: convert it with iconv -f UTF-16 -t '
                    'UTF-8')
        file.seek(0)
        number = 1
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                number += len(_ENDS.findall(line[:error.start]))
                return (f'{path} is not UTF-8 text: line {number} holds the byte '
                        f'0x{line[error.start]:02x}; if it is text in Latin-1, convert it with '
                        'iconv -f LATIN1 -t UTF-8')
            number += len(_ENDS.findall(line))
    return f'{path} is not UTF-8 text'


def _nul(path: str | os.PathLike, what: str, number: int) -> str:
    return f'{path} line {number} holds a NUL byte: is it the {what}, and text in UTF-8?'
