"""Search and label videos by text, without any training on them."""
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import torch
from mmengine.config import Config

from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.shown import printable
from mmbt.files.walk import files_below
from mmbt.models import VideoTextModel
from mmbt.models.checkpoints.branch_file import warn_untrained
from mmbt.models.checkpoints.card_files import temperature_of
from mmbt.models.init_model import init_model

from .copies import Copies
from .encoder import Encoder
from .filling import Filling, Progress, leave_out
from .labels import LabelledWindow, check_labels, check_top, rank_labels
from .memory_index import MemoryIndex
from .moment_index import Found, MomentIndex
from .moment_rows import check_made_by
from .query import Hit, Query, combine, mean_of, merge
from .stamps import GONE, PathLike, Stamp, stamp_of
from .windows import Window, WindowPlan
from .zero_shot_config import read_config

FETCHED = 16  # windows that are looked at for each hit, to begin with


class VideoSearch:
    """Videos by the moments that they show: an index that text, videos and images are looked up in.

    A video is cut into windows of time, each of which has an embedding. A path is kept absolute. A
    video is known by its path, size and time of change; one that has changed is encoded again.

    Args:
        model: A model with a joint space of video and text, see :func:`mmbt.models.init_model`. It
            is set to eval mode.
        pipeline: Configs of the transforms that read a video; those of text are passed over.
        context_length: Token ids of a text at most, with start and end.
        arch: The architecture whose tokenizer the texts are for. Defaults to the text tower's own;
            another is refused.
        index: A :class:`.moment_index.MomentIndex`, or what has its face. Defaults to one in
            memory; see :meth:`open`.
        plan: How videos are cut. Defaults to the windows that follow from the model's frames, see
            :func:`.windows.default_plan`.

    Attributes:
        encoder: Videos and texts to embeddings.
        temperature: tau of :meth:`label`, unless it is given one.
        index: What is kept of the videos.
        copies: Path -> the path of the index that it is a link to or a copy of, of the
            videos that :meth:`add` left out for that.

    Raises:
        ValueError: If the model has no such space, the context is too short or too long, or the
            pipeline or ``arch`` is for another CLIP than the model's.
    """

    def __init__(self, model: VideoTextModel, pipeline: Sequence[dict], context_length: int,
                 arch: str | dict | None = None, *, index: Any = None,
                 plan: WindowPlan | None = None) -> None:
        self.encoder = Encoder(model, pipeline, context_length, arch)
        self.plan = plan or self.encoder.plan
        self._own_plan = plan
        self.temperature = temperature_of(model) or 0.01
        self._classes: tuple[tuple[str, ...], np.ndarray] = ((), np.empty(0))
        self._take(MemoryIndex(self.encoder.embed_dim) if index is None else index)

    def _take(self, index: Any) -> None:
        self.index = index
        self.copies: dict[str, str] = {}
        self._contents: Copies | None = None

    @classmethod
    def from_config(cls, config: PathLike | Config, checkpoint: str | None = None,
                    device: str | torch.device = 'cpu', *,
                    index: Any = None, plan: WindowPlan | None = None) -> 'VideoSearch':
        """Build model and pipeline of a zero-shot config; its data and class file are not needed.

        Text is tokenised as the config's ``TokenizeText`` does, else as its ``cls_head``.

        Args:
            config: Config file, or a loaded config; it is not changed.
            checkpoint: Weights, as :func:`mmbt.apis.init_model` takes them. Where there are none,
                a line in the log says that the branch is untrained.
            device: Where the model goes.
            index: As the class takes it.
            plan: The same.

        Returns:
            A search.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If the config is no zero-shot test, or the weights do not fit.
        """
        config, pipeline, text = read_config(config)
        model = init_model(config, checkpoint, device)
        if checkpoint is None:
            warn_untrained(model.backbone, 'give it a checkpoint')
        search = cls(model, pipeline, text.get('context_length', 12), text.get('arch'),
                     index=index, plan=plan)
        search.temperature = text.get('temperature', search.temperature)
        return search

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
            retry: bool = False) -> int:
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
        filling = Filling(self.encoder, self.index, stamps, batch_size, on_broken, progress)
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

    def search(self, query: str | Query, top: int = 10) -> list[Hit]:
        """The moments that fit a text, or a query of several things, best first.

        How windows become moments says :func:`.query.merge`, with half the temperature for a
        difference that means nothing; how several things become one query says
        :func:`.query.combine`.

        Args:
            query: A text, or more than that.
            top: How many moments.

        Returns:
            Moments, best first.

        Raises:
            VideoReadError: If a video or image of the query cannot be read.
            ValueError: If a text or the index is empty, ``top`` is below 1, nothing is in the
                query's scope, or its mode is 'time' and the index keeps no frame means.
        """
        query = Query((query,)) if isinstance(query, str) else query
        self._check(query, top)
        return self._hits(self.vector(query), top, query)

    def similar(self, video: PathLike, top: int = 10) -> list[Hit]:
        """The moments of other videos that look like a video.

        Args:
            video: One of the index, or any other, which is not added to it.
            top: How many.

        Returns:
            Moments, best first.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
            ValueError: If the index is empty, or ``top`` is below 1.
        """
        query = Query(videos=(os.path.abspath(video),))
        self._check(query, top)
        return self._hits(self.vector(query), top, query, exclude=os.path.abspath(video))

    def _check(self, query: Query, top: int) -> None:
        check_top(top)
        if not self.index.count_windows():
            raise ValueError('the index holds no videos yet')
        if query.mode == 'time' and not self.index.has_baseline:
            raise ValueError("the mode 'time' needs what a branch adds to its frame mean, and the "
                             'index keeps no frame means: make it with a model that has a branch')

    def vector(self, query: Query) -> np.ndarray:
        """A query as (E,) float32 of length 1."""
        parts = [self.encoder.texts(query.texts)] if query.texts else []
        parts += [self.embedding(video)[None] for video in query.videos]
        parts += [self.encoder.images(query.images)] if query.images else []
        without = (self.encoder.texts(query.without) if query.without
                   else np.zeros((0, self.index.width), np.float32))
        return combine(np.concatenate(parts), without)

    def _hits(self, vector: np.ndarray, top: int, query: Query,
              exclude: str | None = None) -> list[Hit]:
        column = 'time' if query.mode == 'time' else 'embedding'
        scope = None if query.scope is None else os.path.abspath(query.scope)
        known: dict[str, list[Found]] = {}

        def of_video(path: str) -> list[Found]:
            if path not in known:
                known[path] = self.index.scores(path, vector, column)
            return known[path]

        count = max(64, FETCHED * top)
        while True:
            found = self.index.search(vector, count, scope=scope, column=column,
                                      exclude_path=exclude)
            if scope is not None and not found:
                raise ValueError(f'no video of the index lies in {printable(scope)}')
            hits = merge(found, of_video, top, self.temperature / 2)
            if len(hits) == top or len(found) < count:
                return hits
            count *= 4

    @overload
    def label(self, video: PathLike, classes: Sequence[str], top: int = 5,
              temperature: float | None = None, over_time: Literal[False] = False
              ) -> list[tuple[str, float]]: ...

    @overload
    def label(self, video: PathLike, classes: Sequence[str], top: int = 5,
              temperature: float | None = None, *, over_time: Literal[True]
              ) -> list[LabelledWindow]: ...

    def label(self, video: PathLike, classes: Sequence[str], top: int = 5,
              temperature: float | None = None, over_time: bool = False
              ) -> list[tuple[str, float]] | list[LabelledWindow]:
        """The classes that a video may be of.

        The names are the queries, and the probabilities a softmax over all of them, as
        :class:`ZeroShotHead` has it.

        Args:
            video: One of the index, or any other, which is not added to it.
            classes: Names of at least two classes, each once.
            top: How many.
            temperature: tau, by which cosines are divided. Defaults to that of the model's
                objectives, and to 0.01 where it has none.
            over_time: Whether each window is labelled, in order of time, and not the whole, for
                which the mean of the windows' embeddings stands.

        Returns:
            (name, probability) of each, best first; over time such a list for each window.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
            ValueError: If an argument is not allowed.
        """
        temperature = self.temperature if temperature is None else temperature
        names = check_labels(classes, top, temperature)
        if self._classes[0] != names:
            self._classes = names, self.encoder.texts(names)
        windows, rows = self.windows_of(video)
        if not over_time:
            rows = mean_of(rows)[None]
        labels = rank_labels(rows, names, self._classes[1], top, temperature)
        if not over_time:
            return labels[0]
        return [LabelledWindow(*window, each) for window, each in zip(windows, labels)]

    def labels(self, videos: Iterable[PathLike], classes: Sequence[str], top: int = 5,
               temperature: float | None = None) -> dict[str, list[tuple[str, float]]]:
        """Absolute path -> :meth:`label`, each once, without those in :attr:`broken`."""
        broken = self.broken
        return {path: self.label(path, classes, top, temperature)
                for path in dict.fromkeys(map(os.path.abspath, videos)) if path not in broken}

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

    def drop_missing(self) -> list[str]:
        """Take the videos whose files are gone out of the index; return their paths."""
        gone = self.index.drop_missing()
        self._contents = None
        self.copies = {path: first for path, first in self.copies.items() if first not in gone}
        return gone
