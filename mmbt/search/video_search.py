"""Search and label videos by text, without any training on them."""
import copy
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from torch import Tensor

from mmbt.datasets import VideoReadError
from mmbt.models import VideoTextModel
from mmbt.models.checkpoints.branch_file import warn_untrained
from mmbt.models.checkpoints.card_files import temperature_of
from mmbt.models.init_model import init_model

from .encoder import Encoder
from .index import GONE, PathLike, VideoIndex, stamp_of


class VideoSearch:
    """Videos by what they show: an index of embeddings that text and videos are compared with.

    A path is kept absolute. A video is known by its path, size and time of change; one that has
    changed is encoded again.

    Args:
        model: A model with a joint space of video and text, see :func:`mmbt.models.init_model`. It
            is set to eval mode.
        pipeline: Configs of the transforms that read a video; those of text are passed over.
        context_length: Token ids of a text at most, with start and end.
        arch: The architecture whose tokenizer the texts are for. Defaults to the text tower's own;
            another is refused.

    Attributes:
        encoder: Videos and texts to embeddings.
        temperature: tau of :meth:`label`, unless it is given one.
        index: What is kept of the videos.

    Raises:
        ValueError: If the model has no such space, the context is too short or too long, or the
            pipeline or ``arch`` is for another CLIP than the model's.
    """

    def __init__(self, model: VideoTextModel, pipeline: Sequence[dict], context_length: int,
                 arch: str | dict | None = None) -> None:
        self.encoder = Encoder(model, pipeline, context_length, arch)
        self.index = VideoIndex(self.encoder.embed_dim)
        self.temperature = temperature_of(model) or 0.01
        self._classes: tuple[tuple[str, ...], np.ndarray] = ((), np.empty(0))

    @classmethod
    def from_config(cls, config: PathLike | Config, checkpoint: str | None = None,
                    device: str | torch.device = 'cpu') -> 'VideoSearch':
        """Build model and pipeline of a zero-shot config; its data and class file are not needed.

        Text is tokenised as the config's ``TokenizeText`` does, else as its ``cls_head``.

        Args:
            config: Config file, or a loaded config; it is not changed.
            checkpoint: Weights, as :func:`mmbt.apis.init_model` takes them. Where there are none,
                a line in the log says that the branch is untrained.
            device: Where the model goes.

        Returns:
            A search whose index is empty.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If the config is no zero-shot test, or the weights do not fit.
        """
        if not isinstance(config, Config):
            if not Path(config).is_file():
                raise FileNotFoundError(f'config {config} is missing')
            config = Config.fromfile(config)
        config = copy.deepcopy(config)
        dataset = config.get('test_dataloader', {}).get('dataset', {})
        if 'model' not in config or 'pipeline' not in dataset:
            raise ValueError('the config has no model, or no test_dataloader whose pipeline reads '
                             'a video; take one of configs/zeroshot_*')
        head = config.model.pop('cls_head', None)
        text = next((step for step in dataset.pipeline if step['type'] == 'TokenizeText'), head)
        if text is None:
            raise ValueError('the config does not say how text is tokenised: add TokenizeText to '
                             'its test pipeline, or a cls_head to its model')
        model = init_model(config, checkpoint, device)
        if checkpoint is None:
            warn_untrained(model.backbone, 'give it a checkpoint')
        search = cls(model, dataset.pipeline, text.get('context_length', 12), text.get('arch'))
        search.temperature = (head or {}).get('temperature', search.temperature)
        return search

    def __len__(self) -> int:
        return len(self.index.videos)

    @property
    def paths(self) -> list[str]:
        """The indexed videos, in the order of :attr:`embeddings`."""
        return list(self.index.videos)

    @property
    def embeddings(self) -> np.ndarray:
        """(N, E) float32, each of length 1."""
        return self.index.embeddings

    @property
    def broken(self) -> dict[str, str]:
        """Path -> why, of the videos that could not be read."""
        return self.index.broken

    def add(self, videos: Iterable[PathLike], on_broken: str = 'skip',
            progress: Callable[[int, int], Any] | None = None, batch_size: int = 8,
            workers: int = 0) -> int:
        """Encode videos that are not in the index, or have changed since.

        What is encoded is in the index before ``progress`` is called, so that it may :meth:`save`.

        Args:
            videos: Files, or what else the pipeline reads, such as folders of frames.
            on_broken: ``'skip'`` keeps a video that cannot be read in :attr:`broken`, and out of
                the index; it is tried again by the next call. ``'error'`` stops at it.
            progress: Called after each batch with how many of how many are done.
            batch_size: Videos encoded at a time.
            workers: Processes that prefetch videos; 0 reads in this one.

        Returns:
            How many were encoded.

        Raises:
            VideoReadError: With ``'error'``, if a video cannot be read.
            ValueError: If the embeddings are not finite, or an argument is not allowed.
        """
        if on_broken not in ('skip', 'error'):
            raise ValueError(f"on_broken must be 'skip' or 'error', got {on_broken!r}")
        videos = [videos] if isinstance(videos, (str, Path)) else videos
        stamps = {path: stamp_of(path) for path in map(os.path.abspath, videos)}
        todo = [path for path, stamp in stamps.items() if not self.index.is_current(path, stamp)]
        done = encoded = 0
        for batch in self.encoder.batches(todo, batch_size, workers):
            read = {path: clip for path, clip in batch if isinstance(clip, Tensor)}
            for path, embedding in zip(read, self.encoder.videos(list(read.values()))):
                self.index.put(path, stamps[path], embedding)
            for path, why in batch:
                if not isinstance(why, Tensor):
                    self._leave_out(path, why, on_broken)
            done, encoded = done + len(batch), encoded + len(read)
            if progress is not None:
                progress(done, len(todo))
        return encoded

    def _leave_out(self, path: str, why: str, on_broken: str) -> None:
        self.index.drop(path)  # what the file was before
        self.broken[path] = why
        if on_broken == 'error':
            raise VideoReadError(why)

    def search(self, text: str, top: int = 10) -> list[tuple[str, float]]:
        """The videos that a text describes.

        Args:
            text: What is to be seen.
            top: How many videos.

        Returns:
            (path, cosine) of each, best first.

        Raises:
            ValueError: If the text or the index is empty, or ``top`` is below 1.
        """
        return self._best(self.encoder.texts([text])[0], top)

    def similar(self, video: PathLike, top: int = 10) -> list[tuple[str, float]]:
        """The other videos that look like one.

        Args:
            video: One of the index, or any other, which is not added to it.
            top: How many.

        Returns:
            (path, cosine) of each, best first.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
            ValueError: If the index is empty, or ``top`` is below 1.
        """
        return self._best(self.embedding(video), top, without=os.path.abspath(video))

    def _best(self, query: np.ndarray, top: int,
              without: str | None = None) -> list[tuple[str, float]]:
        _check_top(top)
        if not len(self):
            raise ValueError('the index holds no videos yet')
        scores, paths = self.embeddings @ query, self.paths
        hits = [(paths[place], float(scores[place])) for place in _best_first(scores)[:top + 1]]
        return [hit for hit in hits if hit[0] != without][:top]

    def label(self, video: PathLike, classes: Sequence[str], top: int = 5,
              temperature: float | None = None) -> list[tuple[str, float]]:
        """The classes that a video may be of.

        The names are the queries, and the probabilities a softmax over all of them, as
        :class:`ZeroShotHead` has it.

        Args:
            video: One of the index, or any other, which is not added to it.
            classes: Names of at least two classes, each once.
            top: How many.
            temperature: tau, by which cosines are divided. Defaults to that of the model's
                objectives, and to 0.01 where it has none.

        Returns:
            (name, probability) of each, best first.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
            ValueError: If an argument is not allowed.
        """
        temperature = self.temperature if temperature is None else temperature
        names = check_labels(classes, top, temperature)
        if self._classes[0] != names:
            self._classes = names, self.encoder.texts(names)
        cosines = torch.from_numpy(self._classes[1] @ self.embedding(video))
        scores = torch.softmax(cosines / temperature, dim=0).numpy()
        return [(names[place], float(scores[place])) for place in _best_first(scores)[:top]]

    def labels(self, videos: Iterable[PathLike], classes: Sequence[str], top: int = 5,
               temperature: float | None = None) -> dict[str, list[tuple[str, float]]]:
        """Absolute path -> :meth:`label`, of those videos that the index holds, each once."""
        paths = dict.fromkeys(map(os.path.abspath, videos))
        return {path: self.label(path, classes, top, temperature)
                for path in paths if path in self.index.videos}

    def embedding(self, video: PathLike) -> np.ndarray:
        """A video's embedding: the index's where the file is unchanged or gone, else anew.

        Args:
            video: One of the index, or any other, which is not added to it.

        Returns:
            (E,) float32 of length 1.

        Raises:
            VideoReadError: If the video is to be read and cannot be.
        """
        path = os.path.abspath(video)
        known = self.index.videos.get(path)
        if known is not None and stamp_of(path) in (known.stamp, GONE):
            return known.embedding
        (_, clip), = next(self.encoder.batches([path]))
        if not isinstance(clip, Tensor):
            raise VideoReadError(clip)
        return self.encoder.videos([clip])[0]

    def drop_missing(self) -> list[str]:
        """Take the videos whose files are gone out of the index; return their paths."""
        gone = [path for path in self.paths if stamp_of(path) == GONE]
        for path in gone:
            self.index.drop(path)
        return gone

    def save(self, path: PathLike) -> None:
        """Write the index as ``.npz``: whole or not there, and without pickle.

        Several processes may fill one file: what another has saved there since this index was
        begun, read or saved is taken in. What was there before is replaced.

        Args:
            path: The file.

        Raises:
            ValueError: If another process keeps the file for a minute.
            OSError: If it cannot be written.
        """
        self.index.save(path, self.encoder.made_by, self.encoder.card)

    def open_index(self, path: PathLike) -> None:
        """Read an index in the place of what is here, or begin one where there is no file.

        What cannot be written is known from here on, before the work.

        Args:
            path: The file, ``.npz``.

        Raises:
            ValueError: As :meth:`load_index`, or if another process keeps the file for a minute.
            OSError: If it cannot be written.
        """
        with self.index.locked(path):
            if os.path.exists(path):
                self.load_index(path)
            else:
                self.index = VideoIndex(self.index.width)
                self.index.write(path, self.encoder.made_by, self.encoder.card)

    def load_index(self, path: PathLike) -> None:
        """Read an index in the place of what is here.

        Args:
            path: The file, ``.npz``.

        Raises:
            FileNotFoundError: If there is none.
            ValueError: If it was made by another model or pipeline, or the file is no index.
        """
        self.index = VideoIndex.load(path, self.encoder.made_by, self.encoder.card)


def _best_first(scores: np.ndarray) -> np.ndarray:
    """Places by score, the first of equal ones first."""
    return np.argsort(-scores, kind='stable')


def _check_top(top: int) -> None:
    """Raise ValueError where ``top`` is below 1."""
    if top < 1:
        raise ValueError(f'top must be at least 1, got {top}')


def check_labels(classes: Sequence[str], top: int, temperature: float) -> tuple[str, ...]:
    """The names of classes; ValueError for what :meth:`VideoSearch.label` refuses."""
    if isinstance(classes, str) or len(classes) < 2:
        raise ValueError(f'classes must be the names of at least two, got {classes!r}')
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise ValueError(f'class {twice[0]!r} is named twice')
    _check_top(top)
    if not temperature > 0:
        raise ValueError(f'temperature must be above 0, got {temperature}')
    return tuple(classes)
