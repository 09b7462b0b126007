"""What a file is known by: its size and its time of change."""
import os
from pathlib import Path

PathLike = str | Path
Stamp = tuple[int, int]  # bytes, and time of the last change in ns
GONE: Stamp = (-1, -1)


def stamp_of(path: str) -> Stamp:
    """A file's size and time of change; ``GONE`` where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return GONE
    return status.st_size, status.st_mtime_ns
