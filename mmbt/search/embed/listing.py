"""The videos of a list, and the parts that it is cut into."""
import hashlib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.shown import printable
from mmbt.files.walk import files_below

from ..video_rows import LONGEST_PATH

MOST_PARTS = 1_000_000
_PART = re.compile(r'(\d{1,9})/(\d{1,9})')
_ENDS = re.compile(b'\r?\n')


def read_list(source: str, stdin: IO[bytes] | None = None) -> list[str]:
    """The videos of a list, absolute and each once, in its order.

    Args:
        source: A text file of paths one a line, from the working folder where they are relative;
            '-' for such lines on stdin; or a folder, whose videos are taken by their suffixes.
        stdin: What is read for '-'. Defaults to that of this process.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it names no video, or holds what is no path.
    """
    if source == '-':
        lines = _ENDS.split((stdin or sys.stdin.buffer).read())
    elif os.path.isdir(source):
        found = list(files_below(source, VIDEO_SUFFIXES))
        if not found:
            raise ValueError(f'no videos in {printable(source)}: none of its files ends in '
                             f'{", ".join(VIDEO_SUFFIXES)}')
        return list(dict.fromkeys(map(os.path.abspath, found)))
    elif not os.path.isfile(source):
        raise FileNotFoundError(f'{printable(source)} is missing: name a file with a path a line, '
                                'a folder of videos, or - for lines on stdin')
    else:
        lines = _ENDS.split(Path(source).read_bytes().removeprefix(b'\xef\xbb\xbf'))
    name = 'stdin' if source == '-' else printable(source)
    for number, line in enumerate(lines, start=1):
        if b'\0' in line or len(line) > LONGEST_PATH // 3:
            raise ValueError(f'{name} line {number} is no path (NUL, or longer than '
                             f'{LONGEST_PATH // 3:,} bytes): name a file with a path a line')
    paths = [os.path.abspath(os.fsdecode(line)) for line in lines if line.strip()]
    if not paths:
        raise ValueError(f'{name} is empty: it should hold a path a line')
    return list(dict.fromkeys(paths))


def parse_part(text: str) -> tuple[int, int]:
    """Which part of how many: ``'3/8'`` -> (3, 8); they are counted from 0.

    Raises:
        ValueError: If it is none.
    """
    found = _PART.fullmatch(text)
    if not found:
        raise ValueError(f'--part {printable(text)} should be written i/n, as 0/8')
    part, parts = int(found[1]), int(found[2])
    check_parts(parts)
    if part >= parts:
        raise ValueError(f'--part {text} is out of range: the parts of {parts} are 0/{parts} to '
                         f'{parts - 1}/{parts}')
    return part, parts


def check_parts(parts: int) -> None:
    """Raise ValueError for a number of parts that cannot be."""
    if not 1 <= parts <= MOST_PARTS:
        raise ValueError(f'there can be 1 to {MOST_PARTS:,} parts, got {parts:,}')


def split(paths: Sequence[str], parts: int) -> list[list[str]]:
    """The paths of each part, in their order.

    A path's part follows from itself alone, so that a list that has grown, or is in another order,
    leaves every video in the part that it was in.
    """
    found: list[list[str]] = [[] for _ in range(parts)]
    for path in paths:
        digest = hashlib.blake2b(os.fsencode(path), digest_size=8).digest()
        found[int.from_bytes(digest) % parts].append(path)
    return found
