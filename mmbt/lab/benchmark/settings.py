"""What one row of a benchmark runs."""
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from mmbt.files.json_text import read_json

DTYPES = {'fp32': torch.float32, 'bf16': torch.bfloat16}


@dataclass(frozen=True)
class Settings:
    """One row.

    Attributes:
        command: ``'train'`` for a training step, ``'infer'`` for ``encode_video``.
        arch: open_clip's name of an architecture, or its dict.
        precision: ``'fp32'``, or ``'bf16'`` for autocast.
        device: ``'cpu'`` or ``'cuda'``.
        variant: ``'paper'`` or ``'released'``, of the branch and of the MBTA head.
        batch: Clips of a step.
        frames: Frames of a clip.
        layers: Layers of the branch.
        mask_ratio: Share of patches that the branch does not see; None in ``infer``.
        tokens: Tokens of a caption; None in ``infer``.
        steps: Timed steps.
        warmup: Steps before them.

    Raises:
        ValueError: If a number is too small, or there is no such device here.
    """

    command: str
    arch: str | dict
    precision: str
    device: str
    variant: str
    batch: int
    frames: int
    layers: int
    mask_ratio: float | None
    tokens: int | None
    steps: int
    warmup: int

    def __post_init__(self) -> None:
        for name, least in (('batch', 1), ('frames', 1), ('steps', 1), ('warmup', 0)):
            if getattr(self, name) < least:
                raise ValueError(f'{name} must be at least {least}, got {getattr(self, name)}')
        if self.tokens is not None and self.tokens < 1:
            raise ValueError(f'tokens must be at least 1, got {self.tokens}')
        if self.device == 'cuda' and not torch.cuda.is_available():
            raise ValueError('--device cuda: torch sees no CUDA device here; take --device cpu')

    @property
    def train(self) -> bool:
        """Whether a training step is run."""
        return self.command == 'train'

    @property
    def dtype(self) -> torch.dtype:
        """What matrix products are computed in."""
        return DTYPES[self.precision]

    @property
    def arch_name(self) -> str:
        """The architecture in a word."""
        return self.arch if isinstance(self.arch, str) else 'custom'

    def as_dict(self) -> dict:
        """All attributes, for JSON."""
        return asdict(self)


def sweep(lists: dict[str, Sequence], **shared: Any) -> Iterator[Settings]:
    """The product of lists of values, the first name outermost.

    Args:
        lists: Values of some of the attributes.
        shared: The other attributes.
    """
    for values in itertools.product(*lists.values()):
        yield Settings(**dict(zip(lists, values)), **shared)


def read_arch(arch: str) -> str | dict:
    """An architecture's name as it is, or the dict in a JSON file.

    Raises:
        ValueError: If the file holds no JSON dict.
        FileNotFoundError: If a name ends in ``.json`` and there is no such file.
    """
    if not arch.endswith('.json'):
        return arch
    value = read_json(arch, object, 'architecture')
    if not isinstance(value, dict):
        raise ValueError(f'{arch} must hold a dict with embed_dim, vision_cfg and text_cfg')
    return value
