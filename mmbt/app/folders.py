"""The folders that a page may show, and nothing outside them."""
import os
from collections.abc import Iterator, Sequence
from urllib.parse import quote, unquote_to_bytes

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.shown import printable
from mmbt.files.walk import files_below

MOST_FOLDERS = 200  # that may be chosen


class Folders:
    """Folders with their subfolders.

    A video has an absolute path and a key, ``'0/films/a%20b.mp4'``: the number of its folder here,
    and its path in there as a URL has it. A link counts as what it leads to.

    Args:
        roots: The folders.

    Attributes:
        roots: Their real paths, without those that lie in another of them.

    Raises:
        FileNotFoundError: If one is no folder.
        ValueError: If none holds a video.
    """

    def __init__(self, roots: Sequence[str | os.PathLike]) -> None:
        for root in roots:
            if not os.path.isdir(root):
                raise FileNotFoundError(f'{printable(root)} is no folder: name one that holds '
                                        'videos')
        real = list(dict.fromkeys(os.path.realpath(root) for root in roots))
        self.roots = [root for root in real
                      if not any(_is_below(root, other) for other in real if other != root)]
        self._others: list[str] = []
        if next(self.videos(), None) is None:
            raise ValueError(f'no videos in {", ".join(map(printable, self.roots))}: name a folder '
                             'that holds some')

    def admit(self, folder: str | os.PathLike) -> None:
        """Let the files of a folder be used, which is not one to choose: that of uploads."""
        self._others.append(os.path.realpath(folder))

    def within(self, path: str) -> str:
        """The absolute path of what lies in the folders.

        Args:
            path: Absolute, or from one of the folders on.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it lies outside.
        """
        if '\x00' in path:
            raise ValueError('a path has a null byte in it')
        places = [path] if os.path.isabs(path) else [os.path.join(root, path)
                                                     for root in self.roots]
        found = [os.path.abspath(place) for place in places if self._allows(place)]
        there = [place for place in found if os.path.exists(place)]
        if there:
            return there[0]
        if found:
            raise FileNotFoundError(f'{printable(path)} is missing')
        raise ValueError(f'{printable(path)} lies outside the folders that were opened')

    def video(self, path: str) -> str:
        """The same of a video: a file with the suffix of one."""
        path = self.within(path)
        if not path.lower().endswith(VIDEO_SUFFIXES) or not os.path.isfile(path):
            raise ValueError(f'{printable(self.name(path))} is no video')
        return path

    def _allows(self, path: str) -> bool:
        real = os.path.realpath(path)
        by_name = os.path.abspath(path)
        return all(any(_is_below(each, root) for root in (*self.roots, *self._others))
                   for each in (real, by_name))

    def root_of(self, path: str) -> str:
        """The folder that a path lies in."""
        return next(root for root in self.roots if _is_below(path, root))

    def videos(self, folder: str | None = None) -> Iterator[str]:
        """Videos below a folder, or below all: absolute paths, sorted; no link that leads out."""
        for root in self.roots if folder is None else [folder]:
            yield from (path for path in files_below(root, VIDEO_SUFFIXES) if self._allows(path))

    def to_choose(self) -> list[str]:
        """The folders and those below them that hold videos, the first 200."""
        found: dict[str, None] = {}
        for root in self.roots:
            found[root] = None
            for path in self.videos(root):
                while (path := os.path.dirname(path)) != root and path not in found:
                    found[path] = None
                if len(found) >= MOST_FOLDERS:
                    break
        return sorted(found)[:MOST_FOLDERS]

    def key(self, path: str) -> str:
        """The key of a path in the folders."""
        places = [*self.roots, *self._others]
        place = next(each for each, folder in enumerate(places) if _is_below(path, folder))
        return f'{place}/{quote(os.fsencode(os.path.relpath(path, places[place])))}'

    def of_key(self, key: str) -> str:
        """The path of a key; for what is raised see :meth:`within`."""
        number, _, rest = key.partition('/')
        places = [*self.roots, *self._others]
        if not number.isdecimal() or int(number) >= len(places):
            raise ValueError(f'{printable(key)[:200]} is of none of the folders that were opened')
        path = os.fsdecode(unquote_to_bytes(rest))
        if os.path.isabs(path):
            raise ValueError(f'{printable(path)} lies outside the folders that were opened')
        return self.within(os.path.join(places[int(number)], path))

    def name(self, path: str) -> str:
        """How a path is shown: from its folder on, which is named where there are several."""
        roots = [root for root in self.roots if _is_below(path, root)]
        if not roots:
            return printable(os.path.basename(path))
        root = roots[0]
        inside = os.path.relpath(path, root)
        named = os.path.basename(root) or root
        if inside == os.curdir:
            return printable(named)
        return printable(inside if len(self.roots) == 1 else os.path.join(named, inside))


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
