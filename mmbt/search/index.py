"""Embeddings of videos by their paths, in memory and in a file."""
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.logging import print_log

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import parse_json
from mmbt.files.lock import Lock
from mmbt.files.npz import read_npz
from mmbt.files.safe_load import in_line
from mmbt.files.source import CARD
from mmbt.models.card import ModelCard

PathLike = str | Path
Stamp = tuple[int, int]  # bytes, and time of the last change in ns
GONE: Stamp = (-1, -1)
PATIENCE = 60.  # seconds to wait for another process that saves
ARRAYS = ('embeddings', 'paths', 'stamps', 'broken', 'reasons', 'made_by')
KINDS = 'fUiUUU'  # of these arrays, as numpy has them
OTHER = ('another model (other weights, precision or settings)', 'another pipeline')


class Indexed(NamedTuple):
    """What is kept of a video: its stamp, and its (E,) float32 embedding of length 1."""

    stamp: Stamp
    embedding: np.ndarray


class VideoIndex:
    """Videos by their absolute paths, each with what it was when it was encoded.

    Args:
        width: E, the channels of an embedding.

    Attributes:
        videos: Path -> :class:`Indexed`; changed by :meth:`put` and :meth:`drop` alone.
        broken: Path -> why, of the videos that could not be read.
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.videos: dict[str, Indexed] = {}
        self.broken: dict[str, str] = {}
        self._dropped: set[str] = set()  # here, and not to be taken from the file again
        self._begun = time.time_ns()
        self._synced: dict[str, Stamp] = {}  # files, as they were when read or written here
        self._matrix: np.ndarray | None = None

    @property
    def embeddings(self) -> np.ndarray:
        """(N, E) float32, in the order of ``videos``."""
        if self._matrix is None:
            rows = [video.embedding for video in self.videos.values()]
            self._matrix = np.stack(rows) if rows else np.zeros((0, self.width), np.float32)
        return self._matrix

    def put(self, path: str, stamp: Stamp, embedding: np.ndarray) -> None:
        """Keep a video's embedding in the place of what was known of it."""
        self.videos[path] = Indexed(stamp, embedding)
        self.broken.pop(path, None)
        self._dropped.discard(path)
        self._matrix = None

    def drop(self, path: str) -> None:
        """Forget a video, if it is known."""
        self._dropped.add(path)
        if self.videos.pop(path, None) is not None:
            self._matrix = None

    def is_current(self, path: str, stamp: Stamp) -> bool:
        """Whether a video is known as what its file is now."""
        return stamp != GONE and path in self.videos and self.videos[path].stamp == stamp

    def save(self, path: PathLike, made_by: Sequence[str], card: str = '') -> None:
        """Write the file: whole or not there, and without pickle.

        What another process has saved there since this index was begun, read or saved is taken in
        first, so that several may fill one file.

        Args:
            path: The file, ``.npz``.
            made_by: What the embeddings depend on: the model, and the pipeline.
            card: The model's card, as JSON.

        Raises:
            ValueError: If another process keeps the file for a minute.
            OSError: If it cannot be written.
        """
        with self.locked(path):
            self._take_in(path, made_by, card)
            self.write(path, made_by, card)

    def write(self, path: PathLike, made_by: Sequence[str], card: str = '') -> None:
        """Write the file for one who holds its lock, and take nothing in."""
        stamps = np.array([video.stamp for video in self.videos.values()], np.int64)
        with whole_file(path) as draft, open(draft, 'wb') as file:
            np.savez(file, embeddings=self.embeddings, stamps=stamps.reshape(-1, 2),
                     paths=to_array(self.videos), broken=to_array(self.broken),
                     reasons=to_array(self.broken.values()), made_by=to_array(made_by),
                     model_card=to_array([card or 'null']))
        self._synced[os.path.abspath(path)] = stamp_of(os.path.abspath(path))

    @staticmethod
    def locked(path: PathLike) -> Lock:
        """The lock under which a file is written; it waits for who holds it."""
        return Lock(f'{path}.lock', f'index {path}', wait=PATIENCE)

    def _take_in(self, path: PathLike, made_by: Sequence[str], card: str) -> None:
        """Add what a file holds that another process wrote meanwhile.

        One that was there before this index was begun, and was not read, is replaced, as is one
        that has become another model's, or damaged.
        """
        path = os.path.abspath(path)
        before, now = self._synced.get(path), stamp_of(path)
        if now in (before, GONE) or before is None and now[1] < self._begun:
            return
        try:
            theirs = VideoIndex.load(path, made_by, card)
        except ValueError:
            return
        for video, entry in theirs.videos.items():
            if video not in self.videos and video not in self._dropped:
                self.put(video, *entry)
        for video, why in theirs.broken.items():
            if video not in self.videos:
                self.broken.setdefault(video, why)

    @classmethod
    def load(cls, path: PathLike, made_by: Sequence[str], card: str = '') -> 'VideoIndex':
        """Read a file that :meth:`save` wrote; arguments as there.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it was made by something else, or is no index.
        """
        before = stamp_of(os.path.abspath(path))
        arrays = read_arrays(path)
        check_index_card(path, arrays.get(CARD), card)
        for ours, theirs, what in zip(made_by, arrays['made_by'].tolist(), OTHER):
            if ours != theirs:
                raise ValueError(f'index {path} was made by {what}; make it anew, or search it '
                                 'with the config and checkpoint that made it')
        index = cls(arrays['embeddings'].shape[1])
        stamps = [(size, changed) for size, changed in arrays['stamps'].tolist()]
        index.videos = dict(zip(arrays['paths'].tolist(),
                                map(Indexed, stamps, arrays['embeddings'])))
        index.broken = dict(zip(arrays['broken'].tolist(), arrays['reasons'].tolist()))
        index._matrix = arrays['embeddings']
        index._synced[os.path.abspath(path)] = before
        return index


def check_index_card(path: PathLike, stored: np.ndarray | None, card: str) -> None:
    """Name in what a file's model differs from the one at hand; files of before have no card.

    Raises:
        ValueError: If it does, or the file's card is none.
    """
    try:
        told = None if stored is None else parse_json(str(stored.reshape(-1)[0]), str(path))
    except (ValueError, IndexError) as error:
        raise ValueError(f'index {path}: its model card is damaged') from error
    if told is None:
        print_log(f'index {path} has no model card, as files of before 0.2 have none', 'current')
    if not card or told is None:
        return
    theirs = ModelCard.from_dict(told, f'index {path}')
    for difference in ModelCard.from_dict(json.loads(card)).differences(theirs):
        raise ValueError(f'index {path} was made by another model: it {difference}; or make it '
                         'anew')


def read_arrays(path: PathLike) -> dict[str, np.ndarray]:
    """The arrays of an index file by name; see :meth:`VideoIndex.load` for what is raised."""
    if not Path(path).is_file():
        raise FileNotFoundError(f'index {path} is missing')
    damaged = f'{path} is no index of videos, or damaged'
    try:
        arrays = read_npz(path, ARRAYS, (CARD, ))
    except ValueError as error:
        raise ValueError(damaged) from error
    if any(arrays[name].ndim == 0 or arrays[name].dtype.kind != kind
           for name, kind in zip(ARRAYS, KINDS)):
        raise ValueError(damaged)
    count, bad = len(arrays['paths']), len(arrays['broken'])
    shapes = [arrays[name].shape for name in ARRAYS[1:]]
    if (arrays['embeddings'].shape[:-1] != (count,)
            or shapes != [(count,), (count, 2), (bad,), (bad,), (2,)]):
        raise ValueError(damaged)
    check_entries(path, arrays)
    return arrays


def check_entries(path: PathLike, arrays: dict[str, np.ndarray]) -> None:
    """Refuse an index that has a video twice, or an embedding that is not of finite numbers.

    Raises:
        ValueError: Naming the video.
    """
    try:
        paths = arrays['paths'].tolist() + arrays['broken'].tolist()
        arrays['reasons'].tolist(), arrays['made_by'].tolist()
    except ValueError as error:  # no characters
        raise ValueError(f'{path} is no index of videos, or damaged ({error})') from error
    if len(set(paths)) != len(paths):
        twice = Counter(paths).most_common(1)[0][0]
        raise ValueError(f'index {path} has {in_line(twice)!r} twice; make it anew')
    finite = np.isfinite(arrays['embeddings']).all(axis=-1)
    if not finite.all():
        raise ValueError(f'index {path}: the embedding of {in_line(paths[int(finite.argmin())])!r} '
                         'is not of finite numbers; make it anew')


def to_array(texts: Any) -> np.ndarray:
    """An array of texts that needs no pickle."""
    return np.array(list(texts), np.str_)


def stamp_of(path: str) -> Stamp:
    """A file's size and time of change; ``GONE`` where there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return GONE
    return status.st_size, status.st_mtime_ns
