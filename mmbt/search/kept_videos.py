"""Videos that a model has encoded: an index, filled, opened and read."""
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.shown import printable
from mmbt.files.walk import files_below

from .copies import Copies
from .encoder import Encoder
from .filling import Filling, Progress, Watch, leave_out
from .memory_index import MemoryIndex
from .moment_index import MomentIndex
from .moment_rows import check_made_by
from .query import mean_of
from .stamps import GONE, PathLike, Stamp, stamp_of
from .windows import Window, WindowPlan


class KeptVideos:
    """Windows of videos with their embeddings, kept by an index and filled by an encoder.

    Args:
        encoder: Videos and texts to embeddings.
        index: A :class:`.moment_index.MomentIndex`, or what has its face. Defaults to one in
            memory.
        plan: How videos are cut. Defaults to the encoder's.
    """

    def __init__(self, encoder: Encoder, index: Any = None, plan: WindowPlan | None = None) -> None:
        self.encoder = encoder
        self.plan = plan or encoder.plan
        self._own_plan = plan
        self._take(MemoryIndex(encoder.embed_dim) if index is None else index)

    def _take(self, index: Any) -> None:
        self.index = index
        self.copies: dict[str, str] = {}
        self._contents: Copies | None = None

    def open(self, folder: PathLike, create: bool = False) -> None:
        """Take the index of a folder in the place of the index here, and its windows as the plan.

        Args:
            folder: An index, see :class:`.moment_index.MomentIndex`.
            create: Whether to begin one where there is none, in a new or an empty folder.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If another model, pipeline or plan than was given made it, or the folder
                holds something else.
            OSError: If it cannot be written.
        """
        try:
            index = MomentIndex.open(folder)
        except FileNotFoundError:
            if not create:
                raise
            index = MomentIndex.create(folder, self.index.width, self.encoder.made_with(self.plan))
        plan, kept = self.plan, index.made_by.get('windows')
        if self._own_plan is None and isinstance(kept, dict):
            plan = WindowPlan(**kept)
        check_made_by(str(folder), self.encoder.made_with(plan), index.made_by)
        self._take(index)
        self.plan = plan

    def __len__(self) -> int:
        return self.index.count_videos()

    @property
    def paths(self) -> list[str]:
        """The videos of the index that could be read; a folder's order is that of no list."""
        return [row.path for row in self.index.videos() if not row.error]

    @property
    def broken(self) -> dict[str, str]:
        """Path -> why, of the videos that could not be read."""
        return self.index.errors()

    def add(self, videos: PathLike | Iterable[PathLike], on_broken: str = 'skip',
            progress: Progress | None = None, batch_size: int = 8, workers: int = 0,
            retry: bool = False, watch: Watch | None = None) -> int:
        """Encode videos that are not in the index, or have changed since.

        Of links to a file and of files of one content the first alone is encoded; the others are in
        :attr:`copies`. Each video is in the index before ``progress`` is called.

        Args:
            videos: Files, or what else the pipeline reads, such as folders of frames.
            on_broken: ``'skip'`` keeps why a video cannot be read in :attr:`broken`; ``'error'``
                stops at it as well.
            progress: Called, as videos get done, with how many of how many are.
            batch_size: Windows encoded at a time.
            workers: Threads that read ahead, each with a process that decodes; 0 reads in this one.
            retry: Whether what could not be read before, and has not changed, is tried again; what
                was not there always is.
            watch: Called, as windows get done, with a video's path and how many of how many are.

        Returns:
            How many were encoded.

        Raises:
            VideoReadError: With ``'error'``, if a video cannot be read.
            ValueError: If the embeddings are not finite, or an argument is not allowed.
        """
        if on_broken not in ('skip', 'error'):
            raise ValueError(f"on_broken must be 'skip' or 'error', got {on_broken!r}")
        if batch_size < 1 or workers < 0:
            raise ValueError('batch_size must be at least 1 and workers at least 0, got '
                             f'{batch_size} and {workers}')
        videos = [videos] if isinstance(videos, (str, Path)) else videos
        stamps = {path: stamp_of(path) for path in map(os.path.abspath, videos)}
        again = self.broken if retry or on_broken == 'error' else {}
        todo, copies = self._split({path: stamp for path, stamp in stamps.items() if path in again
                                    or stamp == GONE or not self.index.is_current(path, *stamp)})
        filling = Filling(self.encoder, self.index, stamps, batch_size, on_broken, progress,
                          watch)
        encoded = filling.fill(todo, self.plan, workers)
        broken = self.broken if copies else {}
        for path, first in copies.items():
            if first in broken:
                leave_out(self.index, path, stamps[path], f'{path} is one with {first}, and '
                          f'{broken[first]}')
        self.index.flush()
        return encoded

    def _split(self, stamps: dict[str, Stamp]) -> tuple[list[str], dict[str, str]]:
        """The videos to be encoded, and those that are copies, each with the first of them."""
        if not stamps:
            return [], {}
        if self._contents is None:
            self._contents = Copies((row.path, row.size) for row in self.index.videos()
                                    if not row.error)
        todo, copies = self._contents.split({path: size for path, (size, _) in stamps.items()})
        if copies:  # what such a file was before it became a copy
            self.index.drop([row.path for row in self.index.videos() if row.path in copies])
        self.copies = {path: first for path, first in self.copies.items() if path not in todo}
        self.copies.update(copies)
        return todo, copies

    def add_folder(self, folder: PathLike, **settings: Any) -> int:
        """Add the videos below a folder, by their suffixes; for ``settings`` see :meth:`add`.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If it holds no video.
        """
        if not os.path.isdir(folder):
            raise FileNotFoundError(f'{printable(folder)} is no folder: name one that holds videos')
        videos = list(files_below(os.fspath(folder), VIDEO_SUFFIXES))
        if not videos:
            raise ValueError(f'no videos in {printable(folder)}: none of its files ends in '
                             f'{", ".join(VIDEO_SUFFIXES)}')
        return self.add(videos, **settings)

    def drop(self, paths: Iterable[PathLike]) -> None:
        """Take videos out of the index, where they are in it; their files stay."""
        paths = [os.path.abspath(path) for path in paths]
        self.index.drop(paths)
        self._contents = None
        self.copies = {path: first for path, first in self.copies.items() if first not in paths}

    def drop_missing(self) -> list[str]:
        """Take the videos whose files are gone out of the index; return their paths."""
        gone = [row.path for row in self.index.videos() if not os.path.exists(row.path)]
        self.drop(gone)
        return gone

    def windows_of(self, video: PathLike) -> tuple[list[Window], np.ndarray]:
        """A video's windows: the index's where the file is unchanged or gone, else anew.

        Args:
            video: One of the index, or any other, which is not added to it.

        Returns:
            W windows, and their embeddings, (W, E) float32 of length 1.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
        """
        path = self._first_of(os.path.abspath(video))
        stamp = stamp_of(path)
        if stamp == GONE or self.index.is_current(path, *stamp):
            windows, rows = self.index.windows_of(path)
            if len(windows):
                return windows, rows
        encoded = self.encoder.windows(path, self.plan)
        return encoded.windows, encoded.embeddings

    def _first_of(self, path: str) -> str:
        """The video of the index that a path is still a copy of; else the path."""
        first = self.copies.get(path)
        if first is None or self._contents is None:
            return path
        return self._contents.first_of(path, stamp_of(path)[0]) or path

    def embedding(self, video: PathLike) -> np.ndarray:
        """A whole video's embedding: the mean of its windows', at length 1.

        Args:
            video: As :meth:`windows_of` takes it.

        Returns:
            (E,) float32.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
        """
        return mean_of(self.windows_of(video)[1])
