"""Videos and texts to embeddings of length 1, by one model and one way of reading."""
import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.logging import print_log
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.nn.functional import normalize

from mmbt.datasets import fit_pipeline
from mmbt.files.safe_load import in_line
from mmbt.models import BTAdapter, VideoTextModel
from mmbt.models.checkpoints.card_files import model_card
from mmbt.models.checkpoints.model_hash import hash_model
from mmbt.models.compared.frame_mean import FrameMean
from mmbt.models.states import SharedFrames
from mmbt.models.structures import VideoEncoding
from mmbt.models.tokenizer import tokenizer_spec

from .window_clips import Timeline, WindowReader
from .windows import Window, WindowPlan, default_plan

TEXTS = 256  # encoded at a time
BY_TIME = dict(by='time')  # videos of one's own have frames of any length; a config may say else
LONG = 512  # tokens, to count those of a text that is too long


class Encoder:
    """Encodes files and texts; for the arguments see :class:`mmbt.apis.VideoSearch`."""

    def __init__(self, model: VideoTextModel, pipeline: Sequence[dict], context_length: int,
                 arch: str | dict | None = None) -> None:
        if not isinstance(model, VideoTextModel) or model.trunk.embed_dim is None:
            raise ValueError(f'this {type(model).__name__} cannot compare video and text; take a '
                             'config with a VideoTextModel, such as those of configs/zeroshot_*')
        if context_length < 3:
            raise ValueError('context_length must be at least 3 (start, one token, end), got '
                             f'{context_length}')
        text, card = model.text, model.trunk.card
        if arch is not None and tokenizer_spec(arch) != text.tokenizer:
            raise ValueError(f"texts were to be told in tokens of {tokenizer_spec(arch)}, and the "
                             f"text tower's are of {text.tokenizer}: leave arch out")
        if context_length > text.context_length:
            raise ValueError(f'context_length is {context_length}, and the text tower takes '
                             f'{text.context_length} tokens at most')
        self.model = model.eval()
        self.embed_dim: int = model.trunk.embed_dim
        self.pipeline = [dict(BY_TIME, **step) if step['type'] == 'ReadFrames' else dict(step)
                         for step in pipeline
                         if step['type'] not in ('TokenizeText', 'PackVideoText')]
        with DefaultScope.overwrite_default_scope('mmaction'):
            self.read = Compose([*self.pipeline, dict(type='PackVideoText')])
        fit_pipeline(self.read.transforms, card)
        self.reader = WindowReader(self.read.transforms)
        self.context_length = context_length

    @cached_property
    def made_by(self) -> tuple[str, str]:
        """What an embedding depends on: a hash of the model, and the pipeline."""
        model = self.model
        tensors = {**model.backbone.state_dict(), **dict(model.data_preprocessor.named_buffers())}
        return hash_model(model.backbone, tensors), json.dumps(
            self.pipeline, sort_keys=True, default=str)

    @cached_property
    def card(self) -> str:
        """The model's card, as JSON."""
        return json.dumps(model_card(self.model).to_dict(), sort_keys=True)

    @property
    def plan(self) -> WindowPlan:
        """The windows that follow from the frames that the model reads."""
        return default_plan(self.reader.num_frames)

    def made_with(self, plan: WindowPlan) -> dict[str, Any]:
        """What an index of windows depends on, by names, as JSON has it."""
        model, pipeline = self.made_by
        return dict(model=model, model_card=json.loads(self.card), pipeline=json.loads(pipeline),
                    windows=asdict(plan))

    def clip(self, path: str) -> Tensor:
        """The frames of a whole video, (T, 3, H, W) uint8, as the pipeline reads it.

        Raises:
            VideoReadError: If it cannot be read.
        """
        return self.read(dict(filename=path))['inputs']['imgs']

    def videos(self, clips: Sequence[Tensor]) -> np.ndarray:
        """B clips of (T, 3, H, W) uint8 frames -> (B, E) float32, each of length 1.

        Raises:
            ValueError: If an embedding is not finite, or the clips differ in shape.
        """
        return self.videos_and_means(clips)[0]

    @torch.no_grad()
    def videos_and_means(self, clips: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        """The same, and the clips' frame means by the CLIP below the branch, in one pass.

        Returns:
            (B, E) float32 embeddings, and as many of the frame means; None for the second where
            the model has no branch beside its CLIP.
        """
        if not clips:
            none: np.ndarray = np.zeros((0, self.embed_dim), np.float32)
            return none, none if self.has_baseline else None
        views = clips[0].shape[0] if clips[0].ndim == 5 else 0
        encoding = self._encode([view for clip in clips for view in clip] if views else clips)
        assert encoding.video is not None
        embeddings = _to_unit(_mean_of_views(encoding.video, views))
        if not self.has_baseline:
            return embeddings, None
        assert encoding.clip_cls is not None
        means = self.model.trunk.frame_mean(encoding.clip_cls)
        assert means is not None
        return embeddings, _to_unit(_mean_of_views(means, views))

    def _encode(self, clips: Sequence[Tensor]) -> VideoEncoding:
        """Encode B clips of (T, 3, H, W) uint8 frames; equal frames run through the trunk once."""
        alike = len({clip.shape for clip in clips}) == 1
        if alike and isinstance(self.model.backbone, (BTAdapter, FrameMean)):
            frames, places = distinct_frames(clips)
            if len(frames) < places.numel():
                imgs = self._normalised([frames])
                return self.model.backbone(SharedFrames(imgs[0], places.to(imgs.device)))
        return self.model.encode(self._normalised(clips))

    def _normalised(self, clips: Sequence[Tensor]) -> Tensor:
        imgs = self.model.data_preprocessor(dict(inputs=dict(imgs=list(clips))))['inputs']['imgs']
        return imgs.to(next(self.model.parameters()).dtype)

    @property
    def has_baseline(self) -> bool:
        """Whether there is a branch, which adds to a frame mean that stays as it is."""
        return isinstance(self.model.backbone, BTAdapter)

    def windows(self, path: str, plan: WindowPlan | None = None,
                batch_size: int = 8) -> 'EncodedWindows':
        """Encode the windows of a video in one pass over its file.

        Args:
            path: The file.
            plan: How it is cut. Defaults to :attr:`plan`.
            batch_size: Windows encoded at a time.

        Raises:
            VideoReadError: If it cannot be read.
        """
        timeline, waiting = Timeline(0., []), list[Tensor]()
        parts: list[tuple[np.ndarray, np.ndarray | None]] = []
        for now, _, clip in self.reader.clips(path, plan or self.plan):
            if now is not timeline:
                timeline, parts, waiting = now, [], []
            waiting.append(clip)
            if len(waiting) == batch_size:
                parts.append(self.videos_and_means(waiting))
                waiting = []
        parts.append(self.videos_and_means(waiting))
        means = [mean for _, mean in parts if mean is not None]
        return EncodedWindows(timeline.duration, timeline.windows,
                              np.concatenate([rows for rows, _ in parts]),
                              np.concatenate(means) if means else None)

    def images(self, images: Sequence[str | np.ndarray]) -> np.ndarray:
        """N pictures, files or (H, W, 3) RGB uint8 -> (N, E) float32, each of length 1.

        Each is a video that stands still.

        Raises:
            VideoReadError: If a file cannot be read.
        """
        clips = [self.reader.image(image) if isinstance(image, np.ndarray) else
                 self.clip(str(image)) for image in images]
        return self.videos(clips)

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """M texts -> (M, E) float32, each of length 1.

        Raises:
            ValueError: If there is none, or one is empty or no text.
        """
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f'a text to compare videos with is empty or no text: {list(texts)}')
        for text in texts:
            why = self.doubt(text)
            if why:
                print_log(why, logger='current', level=logging.WARNING)
        tokens = self.model.text.tokenize(texts, self.context_length)
        device = next(self.model.parameters()).device
        return np.concatenate([_to_unit(self.model.encode_text(part.to(device)))
                               for part in tokens.split(TEXTS)])

    def doubt(self, text: str) -> str:
        """Why a text is not read as it was meant, in one line; '' where nothing speaks against it.

        Its end is cut off, or its letters are none that the tokenizer has words of.
        """
        shown = in_line(text)
        tokens = self.model.text.tokenize([text], LONG)[0]
        count = int(tokens.ne(tokens[-1]).sum()) - 2  # without padding, start and end
        letters = [letter for letter in text if letter.isalpha()]
        foreign = sum(not letter.isascii() for letter in letters)
        if 2 * foreign > len(letters) and 2 * count > len(letters):
            return (f'the tokenizer of this CLIP breaks {shown!r} up into {count} pieces of '
                    f'{len(letters)} letters, so that it hardly knows its language: ask in English')
        room = self.context_length - 2
        if count > room:
            return (f'{shown!r} is too long: the model reads its first {room} tokens of {count}; '
                    'say it shorter, or as several texts')
        return ''


class EncodedWindows(NamedTuple):
    """A video's windows as :meth:`Encoder.windows` gives them.

    Attributes:
        duration: Seconds.
        windows: W windows in order of time.
        embeddings: (W, E) float32, each of length 1.
        baseline: The same of the frame means; None where the model has no branch.
    """

    duration: float
    windows: list[Window]
    embeddings: np.ndarray
    baseline: np.ndarray | None


def distinct_frames(clips: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """B clips of (T, 3, H, W) uint8 -> (U, 3, H, W) frames, none twice, and (B, T) which of them.

    Windows that overlap share frames, and where nothing happens all are alike.
    """
    known: dict[bytes, int] = {}
    frames: list[Tensor] = []
    places = []
    for frame in (frame for clip in clips for frame in clip):
        digest = hashlib.blake2b(frame.contiguous().numpy(), digest_size=16).digest()
        if digest not in known:
            known[digest] = len(frames)
            frames.append(frame)
        places.append(known[digest])
    return torch.stack(frames), torch.tensor(places).unflatten(0, (len(clips), -1))


def _mean_of_views(features: Tensor, views: int) -> Tensor:
    """(B x V, E) -> (B, E): the mean of V views, each of length 1 before; as it is for V of 0."""
    if not views:
        return features
    return normalize(features, dim=-1).unflatten(0, (-1, views)).mean(dim=1)


def _to_unit(features: Tensor) -> np.ndarray:
    """(B, E) -> (B, E) float32 on the host, each of length 1.

    Raises:
        ValueError: If one is not finite.
    """
    unit = normalize(features.float(), dim=-1).cpu().numpy()
    if not np.isfinite(unit).all():
        raise ValueError('the model gives embeddings that are not finite; check its weights and '
                         'precision')
    return unit
