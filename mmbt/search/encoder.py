"""Videos and texts to embeddings of length 1, by one model and one way of reading."""
import json
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor
from torch.nn.functional import normalize
from torch.utils.data import DataLoader, Dataset

from mmbt.datasets import VideoReadError, fit_pipeline
from mmbt.models import VideoTextModel
from mmbt.models.checkpoints.card_files import model_card
from mmbt.models.checkpoints.model_hash import hash_model
from mmbt.models.tokenizer import tokenizer_spec

TEXTS = 256  # encoded at a time
BY_TIME = dict(by='time')  # videos of one's own have frames of any length; a config may say else
Clip = tuple[str, Tensor | str]  # a path, and (T, 3, H, W) uint8 frames or why there are none


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

    def batches(self, paths: Sequence[str], batch_size: int = 1,
                workers: int = 0) -> Iterator[list[Clip]]:
        """Read videos in their order, the workers prefetching; see :meth:`VideoSearch.add`."""
        if batch_size < 1 or workers < 0:
            raise ValueError('batch_size must be at least 1 and workers at least 0, got '
                             f'{batch_size} and {workers}')
        if paths:
            yield from DataLoader(Clips(paths, self.read), batch_size, num_workers=workers,
                                  collate_fn=list)

    @torch.no_grad()
    def videos(self, clips: list[Tensor]) -> np.ndarray:
        """B clips of (T, 3, H, W) uint8 frames -> (B, E) float32, each of length 1.

        Raises:
            ValueError: If an embedding is not finite, or the clips differ in shape.
        """
        if not clips:
            return np.zeros((0, self.embed_dim), np.float32)
        imgs = self.model.data_preprocessor(dict(inputs=dict(imgs=clips)))['inputs']['imgs']
        like = next(self.model.parameters())
        return _to_unit(self.model.encode_video(imgs.to(like.dtype)))

    @torch.no_grad()
    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """M texts -> (M, E) float32, each of length 1.

        Raises:
            ValueError: If there is none, or one is empty or no text.
        """
        if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
            raise ValueError(f'a text to compare videos with is empty or no text: {list(texts)}')
        tokens = self.model.text.tokenize(texts, self.context_length)
        device = next(self.model.parameters()).device
        return np.concatenate([_to_unit(self.model.encode_text(part.to(device)))
                               for part in tokens.split(TEXTS)])


class Clips(Dataset):
    """Paths and their frames, or why a video cannot be read."""

    def __init__(self, paths: Sequence[str], read: Compose) -> None:
        self.paths = paths
        self.read = read

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Clip:
        path = self.paths[index]
        try:
            return path, self.read(dict(filename=path))['inputs']['imgs']
        except VideoReadError as error:
            return path, str(error)


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
