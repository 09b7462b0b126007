"""Files that are one video: links, and copies."""
import hashlib
import os
from collections.abc import Iterable

END = 2**20  # bytes at each end of a file that are compared


class Copies:
    """Tells which of many files have the content of one before them.

    Two files are one video where they lead to the same file (links), or have the same size and the
    same first and last MiB. Only files of one size are opened.

    Args:
        known: Paths and sizes of the files that are known.
    """

    def __init__(self, known: Iterable[tuple[str, int]] = ()) -> None:
        self._by_size: dict[int, list[str]] = {}
        self._contents: dict[tuple[str, int, int], bytes] = {}
        for path, size in known:
            self.add(path, size)

    def add(self, path: str, size: int) -> None:
        """Know a file."""
        paths = self._by_size.setdefault(size, [])
        if path not in paths:
            paths.append(path)

    def split(self, sizes: dict[str, int]) -> tuple[list[str], dict[str, str]]:
        """Tell files apart, of which those that are no copies are known from here on.

        Args:
            sizes: Path -> bytes.

        Returns:
            Those that are one with no other, and path -> the first, of the rest.
        """
        alone, copies = [], {}
        for path, size in sizes.items():
            first = self.first_of(path, size)
            if first is None:
                alone.append(path)
                self.add(path, size)
            else:
                copies[path] = first
        return alone, copies

    def first_of(self, path: str, size: int) -> str | None:
        """The known file, still as large, that a file is one with; None where there is none."""
        for other in self._by_size.get(size, ()) if size > 0 else ():
            if other == path:
                continue
            try:
                if os.path.samefile(path, other) or (
                        os.path.getsize(other) == size
                        and self._content(path) == self._content(other)):
                    return other
            except OSError:  # gone, or not to be read: like no other
                continue
        return None

    def _content(self, path: str) -> bytes:
        status = os.stat(path)
        key = path, status.st_size, status.st_mtime_ns
        if key not in self._contents:
            with open(path, 'rb') as file:
                total = hashlib.blake2b(file.read(END), digest_size=16)
                file.seek(max(END, status.st_size - END))
                total.update(file.read(END))
            self._contents[key] = total.digest()
        return self._contents[key]
