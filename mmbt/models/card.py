"""The model card: what weights were made beside, as plain values that files carry."""
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import open_clip
import torch

from mmbt.files.safe_load import read_checkpoint
from mmbt.files.source import CARD

from .fingerprint import TOLERANCE, distance

Triple = tuple[float, float, float]
NAMES = dict(gelu='GELU', quick_gelu='quick-GELU')
RESIZE_MODES = ('shortest', 'squash', 'longest')


@dataclass(frozen=True)
class ModelCard:
    """What has to be the same where weights are made and where they are used.

    Shapes and names of weights do not tell most of it, and what differs is computed all the same.
    None is what is not known, or not there; it differs from nothing.

    Attributes:
        arch: The CLIP's name in its library, for people; 'custom' for an architecture dict.
        depth: Layers of the whole vision tower.
        width: Channels D of its tokens.
        num_heads: Attention heads of a layer.
        activation: ``'gelu'`` or ``'quick_gelu'``, of both towers.
        pooling: What of a frame is projected into the joint space: ``'cls'``.
        image_size: Height and width of a frame in pixels.
        mean: RGB mean of the frames, in 0..1.
        std: RGB standard deviation of the frames, in 0..1.
        resize_mode: How pictures got that size, as open_clip calls it: ``'shortest'`` (the
            shorter side, then cropped), ``'squash'``, ``'longest'`` (padded).
        interpolation: By which interpolation.
        tokenizer: Of captions: ``'clip'``, or its name on the hub with its settings.
        context_length: Token ids of a caption at most.
        text_heads: Attention heads of a layer of the text tower.
        text_pooling: Where it reads a caption: ``'argmax'``, the highest id, or ``'eos'``.
        backbone: The temporal model beside CLIP.
        num_frames: Frames that its time embedding was trained on.
        temperature: tau of the contrast of videos and texts.
        fingerprint: Marks of the CLIP's first weights, see ``fingerprint.stem``.
        architecture: open_clip's dict of it, where it has no name there.
        pretrained: open_clip's tag of the CLIP's weights, where they are of one.
        interaction: Whether layers 2 to K of the branch read CLIP's layers too.
    """

    arch: str | None = None
    depth: int | None = None
    width: int | None = None
    num_heads: int | None = None
    activation: str | None = None
    pooling: str | None = None
    image_size: tuple[int, int] | None = None
    mean: Triple | None = None
    std: Triple | None = None
    resize_mode: str | None = None
    interpolation: str | None = None
    tokenizer: str | None = None
    context_length: int | None = None
    text_heads: int | None = None
    text_pooling: str | None = None
    backbone: str | None = None
    num_frames: int | None = None
    temperature: float | None = None
    fingerprint: tuple[float, ...] | None = None
    architecture: dict[str, Any] | None = None
    pretrained: str | None = None
    interaction: bool | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON and configs have them."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Any, source: str = 'the file') -> 'ModelCard':
        """Read a card that anyone may have written. What later versions add is passed over.

        Args:
            values: What :meth:`to_dict` gave.
            source: Where it is from, for errors.

        Raises:
            ValueError: If it is no card.
        """
        if not isinstance(values, Mapping):
            raise ValueError(f'{source}: its model_card is no dict but a {type(values).__name__}')
        known: dict[str, Any] = {}
        for name, check in CHECKS.items():
            value = values.get(name)
            if value is not None:
                value = tuple(value) if isinstance(value, list) else value
                if not check(value):
                    raise ValueError(f'{source}: its model_card has {name}={ascii(value)[:60]}, '
                                     'which is none')
                known[name] = value
        return cls(**known)

    def differences(self, theirs: 'ModelCard', same_clip: bool = True) -> Iterator[str]:
        """How a file's card differs from this one of the model at hand, each with what to set.

        Neither name, time embedding nor temperature count: files tell the first two otherwise, and
        the last changes no embedding.

        Args:
            theirs: The file's.
            same_clip: Whether the CLIPs' fingerprints count.
        """
        if differ(self.activation, theirs.activation):
            yield (f'was made beside {NAMES[str(theirs.activation)]}, this config says '
                   f'{NAMES[str(self.activation)]}: set {self._activation_of(theirs)}')
        for name, remedy in REMEDIES.items():
            ours, other = getattr(self, name), getattr(theirs, name)
            if differ(ours, other):
                yield f'was made with {name}={show(other)}, this config says {show(ours)}: {remedy}'
        if same_clip and self.fingerprint and theirs.fingerprint:
            apart = distance(torch.tensor(self.fingerprint), torch.tensor(theirs.fingerprint))
            if not apart <= TOLERANCE:
                yield (f'was made beside another CLIP ({theirs.arch}) than the one at hand '
                       f'({self.arch}): take the CLIP of its training (model.trunk)')

    def _activation_of(self, theirs: 'ModelCard') -> str:
        """The setting that gives this model the other's activation."""
        plain = (self.arch or '').replace('-quickgelu', '')
        name = plain if theirs.activation == 'gelu' else f'{plain}-quickgelu'
        if name in open_clip.list_models():
            return f'arch={name!r} in model.trunk'
        return f'quick_gelu={theirs.activation == "quick_gelu"} in the architecture of model.trunk'


def read_card(path: str | None) -> ModelCard | None:
    """The card of a checkpoint or branch file of this project; its weights are not read.

    Args:
        path: The file, or whatever a trunk's ``pretrained`` may be.

    Returns:
        None where there is no such file, or it has none.

    Raises:
        ValueError: If it has one that is none.
    """
    if path is None or not str(path).endswith('.pth') or not os.path.isfile(path):
        return None
    try:
        checkpoint = read_checkpoint(path, 'meta')
    except (OSError, ValueError):  # who reads the weights says what is wrong with the file
        return None
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    told = meta.get(CARD) if isinstance(meta, dict) else None
    return None if told is None else ModelCard.from_dict(told, str(path))


def differ(ours: Any, theirs: Any) -> bool:
    """Whether two known values are not the same; numbers that are not whole to one in 10,000."""
    if ours is None or theirs is None:
        return False
    if isinstance(ours, tuple):
        return len(ours) != len(theirs) or any(map(differ, ours, theirs))
    if isinstance(ours, float):
        return not math.isclose(ours, theirs, rel_tol=1e-4, abs_tol=1e-6)
    return bool(ours != theirs)


def show(value: Any) -> str:
    """A value in a line."""
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))})"
    return f'{value:.4g}' if isinstance(value, float) else repr(value)


def is_whole(low: int, high: int) -> Callable[[Any], bool]:
    """A check for whole numbers of a range."""
    return lambda value: type(value) is int and low <= value <= high


def is_number(low: float, high: float) -> Callable[[Any], bool]:
    """A check for numbers of a range; not a number is in none."""
    return lambda value: type(value) in (int, float) and low <= value <= high


def is_tuple(check: Callable[[Any], bool], length: int) -> Callable[[Any], bool]:
    """A check for so many of a kind."""
    return lambda value: (isinstance(value, tuple) and len(value) == length
                          and all(map(check, value)))


def is_name(value: Any) -> bool:
    """Whether a value is a short text in one line."""
    return isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable()


def is_architecture(value: Any) -> bool:
    """Whether a value is an architecture dict of open_clip, of a size that a machine can hold."""
    from .families.arch_check import check_arch
    try:
        check_arch(value)
    except ValueError:
        return False
    return True


size = is_whole(1, 100_000)
CHECKS: dict[str, Callable[[Any], bool]] = dict(
    arch=is_name, depth=size, width=size, num_heads=size,
    activation=lambda value: isinstance(value, str) and value in NAMES,
    pooling=is_name, image_size=is_tuple(size, 2),
    mean=is_tuple(is_number(-10, 10), 3), std=is_tuple(is_number(1e-6, 10), 3),
    resize_mode=lambda value: value in RESIZE_MODES, interpolation=is_name,
    tokenizer=is_name, context_length=size, text_heads=size, text_pooling=is_name,
    backbone=is_name, num_frames=size,
    temperature=is_number(1e-9, 1e9), fingerprint=is_tuple(is_number(-1e9, 1e9), 14),
    architecture=is_architecture, pretrained=is_name,
    interaction=lambda value: isinstance(value, bool))

ARCH = 'set arch in model.trunk to the architecture of its training'
PREPROCESS = ('set pretrained in model.trunk as it was in its training, or preprocess_cfg='
              'dict(mean=..., std=..., resize_mode=...)')
REMEDIES = dict(
    width=ARCH, num_heads=ARCH, pooling=ARCH, image_size=ARCH,
    depth=f'{ARCH}, or its depth', mean=PREPROCESS, std=PREPROCESS, resize_mode=PREPROCESS,
    tokenizer=ARCH, context_length=ARCH, text_heads=ARCH, text_pooling=ARCH)
