"""Work on folders of videos: found, indexed with progress, labelled into tables."""
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable, write_csv
from mmbt.files.walk import files_below
from mmbt.models.class_names import read_classes

from .video_search import VideoSearch

Labels = Mapping[str, Sequence[tuple[str, float]]]


def find_videos(paths: Sequence[str]) -> list[str]:
    """The files that were named, and the videos below folders that were, by suffix and sorted.

    Raises:
        FileNotFoundError: If a path is missing.
        ValueError: If there is no video.
    """
    found: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(f'{path} is missing: name videos, or folders that hold some')
        found += files_below(path, VIDEO_SUFFIXES) if os.path.isdir(path) else [path]
    if not found:
        raise ValueError(f'no videos in {", ".join(paths)}')
    return found


def shown(path: str) -> str:
    """A path as it is shortest, from the working folder or absolute, for a terminal."""
    inside = os.path.relpath(path)
    return printable(path if inside.startswith(os.pardir) else inside)


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
        self.start = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """After a batch: ``done`` of ``total`` videos."""
        due = done - self.saved >= self.every or done == total
        if due:
            self.save()
            self.saved = done
        if due or sys.stderr.isatty():
            speed = done / max(time.monotonic() - self.start, 1e-9)
            print(f'{done} of {total} videos, {speed:.1f} a second', file=sys.stderr, flush=True,
                  end='\r' if sys.stderr.isatty() and done < total else '\n')


def add_videos(search: VideoSearch, videos: Sequence[str], progress: Progress | None = None,
               **how: Any) -> int:
    """Encode what is to be encoded; say which videos could not be read, and return how many.

    Args:
        search: A model with its index.
        videos: Files.
        progress: Says how far it is.
        how: ``on_broken``, ``batch_size``, ``workers``, see :meth:`VideoSearch.add`.
    """
    new = search.add(videos, progress=progress or Progress(lambda: None, 100), **how)
    broken = [path for path in dict.fromkeys(map(os.path.abspath, videos))
              if path in search.broken]
    if broken:
        print(f'{len(broken)} of {len(videos)} videos left out, since they cannot be read:',
              file=sys.stderr)
    for path in broken:
        print(f'  {printable(search.broken[path])}', file=sys.stderr)
    return new


def index_videos(search: VideoSearch, videos: Sequence[str], path: str, prune: bool = False,
                 save_every: int = 100, **how: Any) -> str:
    """Encode videos into a new index, or one that is there; return a line on what was done.

    Args:
        search: A model, whose index is replaced.
        videos: Files.
        path: The index, ``.npz``.
        prune: Whether videos whose files are gone are taken out.
        save_every: Save after so many videos.
        how: As in :func:`add_videos`.
    """
    check_index_place(path)
    search.open_index(path)
    gone = search.drop_missing() if prune else []
    search.save(path)  # what cannot be written is known before the work
    progress = Progress(lambda: search.save(path), save_every)
    try:
        new = add_videos(search, videos, progress, **how)
    finally:
        search.save(path)
    dropped = f', {len(gone)} gone' if prune else ''
    return f'{path}: {len(search)} videos, {new} of them encoded now{dropped}'


def check_index_place(path: str) -> None:
    """Raise ValueError where the index is to be in the place of a folder."""
    if os.path.isdir(path):
        raise ValueError(f'--index {path} is a folder; name a file in it')


def must_be_there(path: str) -> None:
    """Raise FileNotFoundError where there is no index."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'index {path} is missing: make it with `mmbt search index`')


def read_names(names: Sequence[str]) -> list[str]:
    """Class names as they were typed, or of the one file that was named."""
    if len(names) > 1:
        return list(names)
    if not Path(names[0]).is_file():
        raise FileNotFoundError(f'--classes {names[0]}: no such file; name a file with a class a '
                                'line, or two or more classes')
    return read_classes(names[0])


def write_labels(labels: Labels, path: str) -> None:
    """Write labels as CSV, whole or not at all, with no cell that a spreadsheet would run."""
    rows = [(shown(video), rank, name, f'{probability:.6f}') for video, found in labels.items()
            for rank, (name, probability) in enumerate(found, start=1)]
    with whole_file(path) as draft, open(draft, 'w', newline='', encoding='utf-8') as file:
        write_csv(file, [('video', 'rank', 'class', 'probability'), *rows])
