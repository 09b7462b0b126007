"""A folder or a file that is asked at once: what is new in it is indexed, then it answers."""
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmbt.datasets.video_files import find_videos
from mmbt.files.shown import printable

from .jobs import Progress, add_videos, build_if_due, check_index_place
from .moment_rows import is_within
from .places import place_for, place_of
from .query import Hit, Query
from .tables import shown
from .video_search import VideoSearch

SAVE_EVERY = 100  # videos


class FolderSearch:
    """The moments of a folder, or of a file, by text; its index is found, made and kept up to date.

    The index lies in the user's cache (:func:`.places.place_for`), one for each folder and model; a
    folder below one that has an index, and a file, are asked of that one.

    Args:
        search: A model; its index is replaced.
        path: A folder, whose videos below it are asked, or a file.
        place: The index, a folder, in the place of the one in the cache.

    Attributes:
        search: The model with the index.
        path: The absolute path of what is asked.
        place: Where the index lies.

    Raises:
        FileNotFoundError: If the path is missing.
        ValueError: If it holds no video, or the index at ``place`` is another model's.
    """

    def __init__(self, search: VideoSearch, path: str | os.PathLike,
                 place: str | os.PathLike | None = None) -> None:
        self.search = search
        self.path = os.path.abspath(path)
        find_videos([os.fspath(path)])
        self._named = place is not None
        if place is not None:
            check_index_place(os.fspath(place))
            self.place = Path(place)
        else:
            made_by = search.encoder.made_with(search.plan)
            self.place = place_of(self.path, made_by) or place_for(self.path, made_by)

    def update(self, **how: Any) -> str:
        """Encode what is new or has changed, with progress on stderr, and forget what is gone.

        Args:
            how: ``on_broken``, ``batch_size``, ``workers``, see :meth:`VideoSearch.add`.

        Returns:
            A line on what was done.

        Raises:
            OSError: If the index cannot be written; what was written before stays.
            ValueError: If none of the videos can be read.
        """
        videos = find_videos([self.path])
        self.search.open(self.place, create=True)
        new = self._add(videos, **how)
        if not self._named and self._has_copies_of_others():
            self.place = place_for(self.path, self.search.encoder.made_with(self.search.plan))
            self.search.open(self.place, create=True)
            new += self._add(videos, **how)
        self._forget_what_is_gone()
        build_if_due(self.search.index)
        count = self._count()
        if not count:
            raise ValueError(self._why_none(videos))
        done = f'{new} of them encoded now' if new else 'nothing new to encode'
        return f'{self._counted(count)}, {done} (index {shown(str(self.place))})'

    def open(self) -> str:
        """Take the index as it is, without a look at the videos; return a line on it.

        Raises:
            FileNotFoundError: If there is none.
        """
        try:
            self.search.open(self.place)
        except FileNotFoundError as error:
            raise FileNotFoundError(f'{error}: nothing is indexed yet for {printable(self.path)} '
                                    'by this model; leave --as-is out to index it') from None
        return (f'{self._counted(self._count())}, as they were indexed (index '
                f'{shown(str(self.place))})')

    def ask(self, query: str | Query, top: int = 10) -> list[Hit]:
        """The moments here that fit, best first; see :meth:`VideoSearch.search`."""
        query = Query((query,)) if isinstance(query, str) else query
        return self.search.search(replace(query, scope=self.path), top)

    def _add(self, videos: Sequence[str], **how: Any) -> int:
        progress = Progress(self.search.index.flush, SAVE_EVERY)
        return add_videos(self.search, videos, progress, **how)

    def _counted(self, count: int) -> str:
        return f'{shown(self.path)}: {count} video{"" if count == 1 else "s"}'

    def _count(self) -> int:
        return sum(is_within(path, self.path) for path in self.search.paths)

    def _why_none(self, videos: Sequence[str]) -> str:
        broken = self.search.broken
        for path in videos:
            if path in broken:
                return (f'none of the {len(videos)} videos in {printable(self.path)} can be read: '
                        f'{broken[path]}')
        return (f'index {printable(self.place)} holds the videos of {printable(self.path)} under '
                f'other names, such as {printable(next(iter(self.search.copies.values())))}: name '
                'another index')

    def _has_copies_of_others(self) -> bool:
        """Whether a video here is one with another elsewhere, which alone the index holds."""
        return any(is_within(path, self.path) and not is_within(first, self.path)
                   for path, first in self.search.copies.items())

    def _forget_what_is_gone(self) -> None:
        """A file that was removed; not those of a folder that is gone, such as a disk's."""
        gone = [row.path for row in self.search.index.videos() if is_within(row.path, self.path)
                and not os.path.exists(row.path) and os.path.isdir(os.path.dirname(row.path))]
        if gone:
            self.search.drop(gone)
            print(f'{len(gone)} videos are gone', file=sys.stderr)
