"""A model with all that it takes to give it files and texts: what :func:`mmbt.load` returns."""
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbt.datasets import VideoReadError
from mmbt.datasets.video_files import VIDEO_SUFFIXES
from mmbt.files.walk import files_below
from mmbt.models import VideoTextModel
from mmbt.models.card import ModelCard
from mmbt.models.checkpoints.card_files import temperature_of
from mmbt.models.structures import VideoEncoding

from .encoder import Encoder
from .video_search import VideoSearch

Videos = str | os.PathLike | Iterable[str | os.PathLike]
FRAMES = 12  # of a video for what was trained on no number of them, as retrieval on MSR-VTT reads


class LoadedModel:
    """A model of video and text, and how its videos are read and its texts told.

    Args:
        model: A model with a joint space of video and text.
        pipeline: Configs of the transforms that read a video.
        context_length: Token ids of a text at most. None: as many as the text tower takes.
        temperature: tau of :meth:`label`. None: that of the model's objectives, else 0.01.
        name: What it was loaded by.

    Attributes:
        model (VideoTextModel): The model itself, in eval mode.
        encoder (Encoder): Files and texts to embeddings.
        temperature (float): tau.
        name (str): What it was loaded by.

    Raises:
        ValueError: If the model has no such space, or the pipeline is for another CLIP.
    """

    def __init__(self, model: VideoTextModel, pipeline: Sequence[dict],
                 context_length: int | None = None, temperature: float | None = None,
                 name: str = '') -> None:
        if context_length is None:
            context_length = model.text.context_length
        self.model = model
        self.encoder = Encoder(model, pipeline, context_length)
        self.temperature = temperature or temperature_of(model) or 0.01
        self.name = name

    def __repr__(self) -> str:
        return (f'{type(self).__name__}({self.name!r}, {type(self.model.backbone).__name__} beside '
                f'{self.model.trunk.card.arch}, {self.model.trunk.embed_dim} channels)')

    @property
    def pipeline(self) -> list[dict]:
        """Configs of the transforms that read a video."""
        return self.encoder.pipeline

    @property
    def context_length(self) -> int:
        """Token ids of a text at most."""
        return self.encoder.context_length

    def encode_video(self, imgs: Tensor) -> Tensor:
        """(B, T, 3, H, W) normalised frames -> (B, E), see :class:`VideoTextModel`."""
        return self.model.encode_video(imgs)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """(B, L) token ids -> (B, E), see :class:`VideoTextModel`."""
        return self.model.encode_text(tokens)

    def encode(self, imgs: Tensor) -> VideoEncoding:
        """(B, T, 3, H, W) normalised frames -> tokens and embeddings."""
        return self.model.encode(imgs)

    def embed_videos(self, videos: Videos, progress: Callable[[int, int], Any] | None = None,
                     on_broken: str = 'error', batch_size: int = 8,
                     workers: int = 0) -> np.ndarray:
        """N videos -> (N, E) float32, each of length 1, in their order.

        Args:
            videos: Files, or a folder, of which the videos below it are taken, sorted.
            progress: Called after each batch with how many of how many are done.
            on_broken: ``'error'`` stops at a video that cannot be read; ``'nan'`` gives it a row
                of NaN, so that rows keep their places.
            batch_size: Videos encoded at a time.
            workers: Threads that read, each with a reading process; 0 reads in this one.

        Raises:
            VideoReadError: With ``'error'``, naming the video.
            FileNotFoundError: If a file is missing.
            ValueError: If the embeddings are not finite, or an argument is not allowed.
        """
        if on_broken not in ('error', 'nan'):
            raise ValueError(f"on_broken must be 'error' or 'nan', got {on_broken!r}")
        paths = videos_of(videos)
        width = self.model.trunk.embed_dim or 0
        rows: np.ndarray = np.full((len(paths), width), np.nan, np.float32)
        done = 0
        for batch in read_batches(self.encoder, paths, batch_size, workers):
            places = [done + i for i, (_, clip) in enumerate(batch) if isinstance(clip, Tensor)]
            if on_broken == 'error' and len(places) < len(batch):
                raise VideoReadError(next(clip for _, clip in batch if isinstance(clip, str)))
            rows[places] = self.encoder.videos([clip for _, clip in batch
                                                if isinstance(clip, Tensor)])
            done += len(batch)
            if progress is not None:
                progress(done, len(paths))
        return rows

    def embed_texts(self, texts: str | Sequence[str]) -> np.ndarray:
        """M texts -> (M, E) float32, each of length 1.

        Raises:
            ValueError: If there is none, or one is empty or no text.
        """
        return self.encoder.texts([texts] if isinstance(texts, str) else list(texts))

    @cached_property
    def videos(self) -> VideoSearch:
        """What :meth:`search` and :meth:`label` have encoded, so that nothing is encoded twice."""
        search = VideoSearch(self.model, self.pipeline, self.context_length)
        search.temperature = self.temperature
        return search

    def search(self, videos: Videos, text: str, top: int = 10) -> list:
        """Where in videos a text is seen: hits of :meth:`VideoSearch.search`, best first.

        Videos that cannot be read are left out, and named in ``model.videos.broken``.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If the text is empty, no video can be read, or ``top`` is below 1.
        """
        paths = videos_of(videos)
        self.videos.add(paths)
        wanted = set(map(os.path.abspath, paths))
        everything = top if wanted >= set(self.videos.paths) or top < 1 else len(self.videos)
        return [hit for hit in self.videos.search(text, everything) if hit[0] in wanted][:top]

    def label(self, videos: Videos, classes: Sequence[str],
              top: int = 5) -> list[list[tuple[str, float]]]:
        """For each video the classes that it may be of, as (name, probability), best first.

        Raises:
            VideoReadError: If a video cannot be read.
            FileNotFoundError: If a file is missing.
            ValueError: If an argument is not allowed.
        """
        paths = videos_of(videos)
        self.videos.add(paths, on_broken='error')
        return [self.videos.label(path, classes, top) for path in paths]


def read_batches(encoder: Encoder, paths: Sequence[str], size: int,
                 workers: int = 0) -> Iterator[list[tuple[str, Tensor | str]]]:
    """Videos in batches: each path with its frames, (T, 3, H, W), or why they cannot be read.

    Args:
        encoder: How they are read.
        paths: The videos.
        size: Of a batch.
        workers: Threads that read; 0 reads in this one.
    """
    def read(path: str) -> tuple[str, Tensor | str]:
        try:
            return path, encoder.clip(path)
        except VideoReadError as error:
            return path, str(error)

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        each = pool.map if workers else map
        for start in range(0, len(paths), size):
            yield list(each(read, paths[start:start + size]))


def videos_of(videos: Videos) -> list[str]:
    """The paths of videos that were named, or of those below a folder.

    Raises:
        FileNotFoundError: If one is missing.
        ValueError: If there is none.
    """
    named = [videos] if isinstance(videos, (str, os.PathLike)) else list(videos)
    paths: list[str] = []
    for each in named:
        path = os.fspath(each)
        if not os.path.exists(path):
            raise FileNotFoundError(f'{path} is missing: name videos, or a folder that holds some')
        is_folder = os.path.isdir(path) and len(named) == 1
        paths += files_below(path, VIDEO_SUFFIXES) if is_folder else [path]
    if not paths:
        raise ValueError(f'no videos in {", ".join(map(str, named)) or "an empty list"}')
    return paths


def pipeline_of(card: ModelCard, source: str, frames: int | None = None) -> list[dict]:
    """Configs of the transforms that read a video as a card says that frames were made.

    Args:
        card: The card.
        source: Where it is from, for errors.
        frames: Frames of a video. None: those that the branch was trained on, else 12.

    Raises:
        ValueError: If the card does not tell, or tells what no transform does.
    """
    if card.image_size is None:
        raise ValueError(f'{source}: its model card has no image_size, so that no frames can be '
                         'made: load it with init_model and its config')
    height, width = card.image_size
    if card.resize_mode == 'squash':
        resize = [dict(type='Resize', scale=(width, height), keep_ratio=False)]
    elif card.resize_mode == 'longest':
        raise ValueError(f"{source}: its model card says resize_mode='longest', which no transform "
                         'does: give a pipeline in a config')
    else:
        crop = height if height == width else (width, height)
        resize = [dict(type='Resize', scale=(-1, max(height, width))),
                  dict(type='CenterCrop', crop_size=crop)]
    if frames is not None and frames < 1:
        raise ValueError(f'frames must be at least 1, got {frames}')
    count = frames or card.num_frames or FRAMES
    return [dict(type='ReadFrames', num_frames=count, test_mode=True), *resize,
            dict(type='FormatShape', input_format='NCHW')]


def to_place(model: VideoTextModel, device: str | torch.device,
             dtype: str | torch.dtype | None = None) -> VideoTextModel:
    """Move a model; its weights are cast, its frames' mean and deviation are not.

    Raises:
        ValueError: If there is no such device here, or no such floating-point type.
    """
    if dtype is not None:
        kind = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
        if not isinstance(kind, torch.dtype) or not kind.is_floating_point:
            raise ValueError(f"dtype must be one such as 'float32' or 'bfloat16', got {dtype!r}")
        model.backbone.to(kind)
    return model.to(check_device(device))


def check_device(device: str | torch.device) -> torch.device:
    """The device of a name, found before anything is fetched or read.

    Raises:
        ValueError: If there is no such device here.
    """
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, TypeError) as error:
        first = str(error).strip().splitlines()[0]
        raise ValueError(f'device={str(device)!r} is not to be had here ({first})') from None
    return place
