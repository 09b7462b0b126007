"""Work on folders of videos: found, and indexed with progress."""
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mmbt.files.shown import printable
from mmbt.models.class_names import read_classes

from .kept_videos import KeptVideos
from .tables import shown
from .windows import clock

QUIET = 10.  # seconds between two lines of progress in a log
CLEAR = '\x1b[K'  # the rest of a terminal's line


class Progress:
    """Says on stderr how far it is, and saves every so many videos.

    Args:
        save: Called to save.
        every: Videos between two saves.
    """

    def __init__(self, save: Callable[[], None], every: int) -> None:
        if every < 1:
            raise ValueError(f'--save-every must be at least 1, got {every}')
        self.save = save
        self.every = every
        self.saved = 0
        self.start = self.said = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """After a batch: ``done`` of ``total`` videos."""
        if not total:
            return
        due = done - self.saved >= self.every or done == total
        if due:
            self.save()
            self.saved = done
        speed = done / max(time.monotonic() - self.start, 1e-9)
        left = f', about {clock((total - done) / speed)} left' if 0 < done < total else ''
        self._say(f'{done} of {total} videos, {speed:.1f} a second{left}', due, done == total)

    def watch(self, path: str, done: int, total: int) -> None:
        """After a batch: ``done`` of a video's ``total`` windows."""
        if done < total:
            self._say(f'{shown(path)}: {done} of {total} windows', False, False)

    def _say(self, line: str, due: bool, last: bool) -> None:
        terminal = sys.stderr.isatty()
        if not due and not terminal and time.monotonic() - self.said < QUIET:
            return
        self.said = time.monotonic()
        end = '\n' if last or not terminal else '\r'
        print(f'{line}{CLEAR if terminal else ""}', file=sys.stderr, flush=True, end=end)


def add_videos(search: KeptVideos, videos: Sequence[str], progress: Progress | None = None,
               **how: Any) -> int:
    """Encode what is to be encoded; say which videos could not be read, and return how many.

    Args:
        search: A model with its index.
        videos: Files.
        progress: Says how far it is.
        how: ``on_broken``, ``batch_size``, ``workers``, see :meth:`VideoSearch.add`.
    """
    progress = progress or Progress(lambda: None, 100)
    new = search.add(videos, progress=progress, watch=progress.watch, **how)
    reasons = search.broken
    broken = [path for path in dict.fromkeys(map(os.path.abspath, videos)) if path in reasons]
    if broken:
        print(f'{len(broken)} of {len(videos)} videos left out, since they cannot be read:',
              file=sys.stderr)
    for path in broken:
        print(f'  {printable(reasons[path])}', file=sys.stderr)
    return new


def index_videos(search: KeptVideos, videos: Sequence[str], path: str, prune: bool = False,
                 save_every: int = 100, old: str | None = None, **how: Any) -> str:
    """Encode videos into a new index, or one that is there; return a line on what was done.

    Args:
        search: A model, whose index is replaced.
        videos: Files.
        path: The index, a folder.
        prune: Whether videos whose files are gone are taken out.
        save_every: Save after so many videos.
        old: An index of before, ``.npz``, of which is taken what has not changed since.
        how: As in :func:`add_videos`.
    """
    check_index_place(path)
    search.open(path, create=True)
    taken = search.index.import_npz(old) if old is not None else 0
    gone = search.drop_missing() if prune else []
    new = add_videos(search, videos, Progress(search.index.flush, save_every), **how)
    build_if_due(search.index)
    more = f', {taken} taken from {printable(old)}' if old is not None else ''
    more += f', {len(gone)} gone' if prune else ''
    return f'{path}: {len(search)} videos, {new} of them encoded now{more}'


def build_if_due(index: Any, report: Callable[[str], Any] | None = None) -> None:
    """Make or renew the approximate index of many windows, and say how much it finds.

    Args:
        index: Of moments.
        report: Called with a line before, as it takes minutes, and one afterwards. Defaults to
            stderr.
    """
    report = report or (lambda line: print(line, file=sys.stderr, flush=True))
    if index.needs_build():
        report(f'{index.count_windows():,} windows: the lists of the approximate index are being '
               'made, some minutes a million; what is indexed is kept if this is stopped')
        index.build()
        report(index.describe_search())


def tell_approximate(index: Any) -> None:
    """Say on stderr how much is found, where not all windows are compared."""
    how = index.describe_search()
    if how != 'exact':
        print(how, file=sys.stderr)


def check_index_place(path: str) -> None:
    """Raise ValueError where the index is to be in the place of a file."""
    if os.path.isfile(path):
        raise ValueError(f'--index {path} is a file; name a folder for the index')


def must_be_there(path: str) -> None:
    """Raise FileNotFoundError where there is no index."""
    if not Path(path).is_dir():
        raise FileNotFoundError(f'index {path} is missing: make it with `mmbt search index`')


def read_names(names: Sequence[str]) -> list[str]:
    """Class names as they were typed, or of the one file that was named."""
    if len(names) > 1:
        return list(names)
    if not Path(names[0]).is_file():
        raise FileNotFoundError(f'--classes {names[0]}: no such file; name a file with a class a '
                                'line, or two or more classes')
    return read_classes(names[0])
