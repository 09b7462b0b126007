"""Moments of videos: an index that is a folder, appended to and never rewritten."""
from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from . import approximate
from .index_folder import begin_index
from .lance_table import MANY_FRAGMENTS, lance_errors, shown
from .moment_reader import Found as Found
from .moment_reader import MomentReader
from .moment_rows import moment_rows
from .old_index import read_old
from .stamps import PathLike
from .video_rows import Known, Numbers, VideoRow, age_of
from .waiting import Waiting
from .windows import Window

IN_FLIGHT = 3600.  # seconds that another writer may take between its two commits


class MomentIndex(MomentReader):
    """An index that is added to; see :meth:`create` and :meth:`open`.

    Several processes may add to an index at once; what is killed leaves the videos that it has
    committed.
    """

    def __init__(self, folder: PathLike, width: int, made_by: dict[str, Any]) -> None:
        super().__init__(folder, width, made_by)
        self._numbers = Numbers()
        self._waiting = Waiting(self.folder, width)

    @classmethod
    def create(cls, folder: PathLike, width: int, made_by: dict[str, Any]) -> MomentIndex:
        """Make an index, or open the one that is there.

        Args:
            folder: Where; its parents are made.
            width: E.
            made_by: What the embeddings depend on, as JSON has it: 'model' (a hash), 'model_card',
                'pipeline', 'windows', and what else has to be the same.

        Raises:
            ValueError: If the folder holds something else, or another model's index.
            OSError: If it cannot be written.
        """
        begin_index(folder, width, made_by)
        index = cls.open(folder, made_by)
        if index.width != width:
            raise ValueError(f'index {shown(folder)} has embeddings of {index.width} channels, and '
                             f'the model gives {width}: make it anew')
        return index

    def known(self, path: str) -> VideoRow | None:
        """What is known of a video, committed or not."""
        if path in self._waiting.videos:
            return self._waiting.videos[path].row
        return super().known(path)

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None = None) -> None:
        """Keep a video in the place of what was known of it; committed now and then.

        Args:
            video: Its row; without windows where it has an error.
            windows: W of them, in seconds.
            embeddings: (W, E) of length 1.
            baseline: (W, E), those of the mean of its frames.

        Raises:
            ValueError: If these do not belong together, or are not finite.
            OSError: If the disk refuses; what was not committed is kept for the next try.
        """
        self._waiting.add(video, windows, embeddings, baseline)
        if self._waiting.is_due:
            self.flush()

    def flush(self) -> None:
        """Commit what was added: it is on the disk when this returns.

        Raises:
            OSError: If the disk refuses; what was added is kept for the next try.
        """
        added = self._waiting.videos
        if not added:
            return
        known = [Known(each.row, self._numbers.next(), len(each.vectors) == 2)
                 for each in added.values()]
        replaced = self._rows.all_ids(added)
        rows = moment_rows(known, list(added.values()), self.width)
        if rows.num_rows:
            self._moments.append(rows)
        self._rows.append(known)
        self._waiting.clear()
        self._delete(replaced)
        if len(self._moments.fragments()) > MANY_FRAGMENTS:
            self._moments.compact(IN_FLIGHT)
        if len(self._rows.table.fragments()) > MANY_FRAGMENTS:
            self._rows.table.compact(IN_FLIGHT)
            self._rows.refresh()

    def _delete(self, ids: list[int]) -> None:
        """Take rows out that count no more. The videos go last, as those that name the windows."""
        if ids:
            self._moments.delete('video', ids)
            self._rows.table.delete('id', ids)
            self._rows.refresh()

    def drop(self, paths: Iterable[str]) -> None:
        """Forget videos, where they are known."""
        self.flush()
        self.refresh()
        ids = self._rows.all_ids(paths)
        if ids:  # the rows first: what names no video counts for nothing
            self._rows.table.delete('id', ids)
            self._moments.delete('video', ids)
            self._rows.refresh()

    def drop_missing(self) -> list[str]:
        """Forget the videos whose files are gone; return their paths."""
        gone = [row.path for row in self.videos() if not os.path.exists(row.path)]
        self.drop(gone)
        return gone

    def compact(self, keep: float = IN_FLIGHT) -> None:
        """Take out what counts no more, join small files, remove versions of before.

        Args:
            keep: Seconds for which older versions stay for those who read them, and for which
                windows that belong to no video yet are taken for another writer's.
        """
        self.flush()
        self.refresh()
        with lance_errors(self.folder):
            stored = self._moments.data.to_table(columns=['video'])['video'].unique().to_pylist()
        live = {known.id for known in self._rows.by_path.values()}
        self._delete([id for ids in self._rows.stale.values() for id in ids])
        self._moments.delete('video', [id for id in stored if id not in live
                                       and age_of(id) > keep])
        self._moments.compact(keep)
        self._rows.table.compact(keep)
        self.refresh()
        self._exact.remove_old_copies()

    def build(self, recall: float = 0.98) -> dict[str, Any]:
        """Make or renew the approximate index of more than 100,000 windows, and test it.

        Args:
            recall: Share of the exact best ten that it has to find.

        Returns:
            'kind' ('exact' or 'approximate') and 'windows'; of an approximate one 'recall' as
            measured on 'queries' queries that had no part in the choice of its setting.
        """
        self.compact()
        allowed, _, _ = self._allowed(None)
        return approximate.build(self.folder, self._moments, self._exact, allowed, recall)

    def import_npz(self, path: PathLike) -> int:
        """Add the videos of an index of before, each with one window over the whole of it.

        Returns:
            How many, without those that are known as the same file already.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it is none, or another model's.
        """
        count = 0
        for video, vectors in read_old(path, self.made_by, self.width, self.folder):
            if video.error:
                if self.known(video.path) is None:
                    self.add(video, [], vectors)
            elif not self.is_current(video.path, video.size, video.mtime_ns):
                self.add(video, [Window(0., 0.)], vectors)
                count += 1
        self.flush()
        return count
