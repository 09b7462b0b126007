"""Search and label videos by text, without any training on them."""
import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np
import torch
from mmengine.config import Config

from mmbt.files.shown import printable
from mmbt.models import VideoTextModel
from mmbt.models.checkpoints.branch_file import warn_untrained
from mmbt.models.checkpoints.card_files import temperature_of
from mmbt.models.init_model import init_model

from .encoder import Encoder
from .kept_videos import KeptVideos
from .labels import LabelledWindow, check_labels, check_top, rank_labels
from .moment_index import Found
from .query import MODES, Hit, Query, combine, mean_of, merge
from .stamps import PathLike
from .windows import WindowPlan
from .zero_shot_config import read_config

FETCHED = 16  # windows that are looked at for each hit, to begin with


class VideoSearch(KeptVideos):
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
        super().__init__(Encoder(model, pipeline, context_length, arch), index, plan)
        self.temperature = temperature_of(model) or 0.01
        self._classes: tuple[tuple[str, ...], np.ndarray] = ((), np.empty(0))

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
        if query.mode != 'plain' and not self.index.has_baseline:
            raise ValueError(f'the mode {query.mode!r} needs a branch beside its frame mean, and '
                             'the index keeps no frame means: make it with a model that has one')

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
        column = MODES[query.mode]
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
               temperature: float | None = None, over_time: bool = False
               ) -> dict[str, list[tuple[str, float]]] | dict[str, list[LabelledWindow]]:
        """Absolute path -> :meth:`label`, each once, without those in :attr:`broken`."""
        broken = self.broken
        paths = [path for path in dict.fromkeys(map(os.path.abspath, videos)) if path not in broken]
        if over_time:
            return {path: self.label(path, classes, top, temperature, over_time=True)
                    for path in paths}
        return {path: self.label(path, classes, top, temperature) for path in paths}
