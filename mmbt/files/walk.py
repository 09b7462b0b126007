"""Files below a folder."""
import os
from collections.abc import Iterator


def files_below(folder: str, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Files of some suffixes, sorted; links are followed, each folder once, hidden files left out.

    Args:
        folder: Searched with its subfolders.
        suffixes: In small letters, with their dots.
    """
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        if os.path.realpath(parent) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(parent))
        folders.sort()
        yield from (os.path.join(parent, name) for name in sorted(names)
                    if name.lower().endswith(suffixes) and not name.startswith('.'))
