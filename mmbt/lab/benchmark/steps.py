"""The step that is timed: what the Runner does with a batch, or the encoding of videos."""
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from mmaction.registry import MODELS
from mmengine.optim import OptimWrapper
from torch import nn

from .settings import Settings

Parts = Callable[[str], AbstractContextManager]


class Step:
    """A model with random weights, a batch on the host, and a call that runs one step.

    The model is that of ``configs/pretrain_webvid.py``. A step moves uint8 frames to the device
    and normalises them. In training it then computes the three losses, under autocast in bf16,
    their gradient, AdamW's update of what is trained, and clears the gradients. In inference it
    encodes the videos, nothing masked.

    Args:
        settings: What to run.

    Attributes:
        forward: The model's ``forward`` or ``encode_video``, or a compiled form.

    Raises:
        ValueError: If the settings do not fit the architecture.
    """

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(0)
        self.settings = settings
        self.model = build_model(settings).to(settings.device).train(settings.train)
        self.forward: Callable = self.eager()
        self.batch = random_batch(settings, self.model)
        self.optimizer: OptimWrapper | None = None
        if settings.train:
            trained = [p for p in self.model.parameters() if p.requires_grad]
            # As in configs/pretrain_webvid.py.
            self.optimizer = OptimWrapper(
                torch.optim.AdamW(trained, lr=2e-6, betas=(0.9, 0.98), weight_decay=0.05,
                                  fused=True))

    def eager(self) -> Callable:
        """What is called, not compiled."""
        return self.model if self.settings.train else self.model.encode_video

    def preprocess(self) -> dict:
        """Move the batch to the device and normalise it."""
        return self.model.data_preprocessor(self.batch, self.settings.train)['inputs']

    def autocast(self) -> AbstractContextManager:
        """The precision of the forward pass."""
        return torch.autocast(
            self.settings.device, self.settings.dtype, enabled=self.settings.precision != 'fp32')

    def update(self, inputs: dict, part: Parts) -> None:
        """Losses, gradients and the optimizer's step."""
        optimizer = self.optimizer
        assert optimizer is not None, 'a step of inference updates nothing'
        with part('loss'), self.autocast():
            losses = self.forward(inputs, mode='loss')
        total, _ = self.model.parse_losses(losses)
        with part('backward'):
            optimizer.backward(total)
        with part('optimizer'):
            optimizer.step()
            optimizer.zero_grad()

    def encode(self, inputs: dict, part: Parts) -> None:
        """Video embeddings."""
        with part('encode'), self.autocast(), torch.no_grad():
            self.forward(inputs['imgs'])

    def on_device(self, inputs: dict, part: Parts) -> None:
        """The step after preprocessing."""
        (self.update if self.settings.train else self.encode)(inputs, part)

    def __call__(self, part: Parts | None = None) -> None:
        """Run one step; ``part`` makes the context in which a named part of it runs."""
        part = part or nullcontext
        with part('preprocess'):
            inputs = self.preprocess()
        self.on_device(inputs, part)


def build_model(settings: Settings) -> nn.Module:
    """The model of ``configs/pretrain_webvid.py`` with random weights; mask and heads to train."""
    model: dict = dict(
        type='VideoTextModel',
        trunk=dict(type='OpenCLIPTrunk', arch=settings.arch),
        backbone=dict(
            type='BTAdapter', num_layers=settings.layers, num_frames=settings.frames,
            variant=settings.variant))
    if settings.train:
        model.update(
            mask=dict(type='TubeMask', ratio=settings.mask_ratio),
            heads=[
                dict(type='VTCHead'),
                dict(type='MBTAHead', variant=settings.variant),
                dict(type='MBCAHead'),
            ])
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return MODELS.build(model)


def random_batch(settings: Settings, model: nn.Module) -> dict:
    """Random clips and captions on the host, as a data loader yields them."""
    shape = (settings.frames, 3) + tuple(model.trunk.image_size)
    clips = [torch.randint(0, 256, shape, dtype=torch.uint8) for _ in range(settings.batch)]
    inputs = dict(imgs=clips)
    if settings.train:
        vocabulary = model.text.transformer.vocab_size
        inputs['tokens'] = [torch.randint(1, vocabulary, (1, settings.tokens)) for _ in clips]
    return dict(inputs=inputs)
