"""A batch of more clips than memory holds, with the gradient of the whole batch.

The contrast of Eqs. 6 and 8 needs every clip at once, but of each only a few hundred numbers. So
the branch runs twice: first over a part of the batch after the other, of which nothing but the
heads' summaries is kept; then the losses are computed from all summaries; then, in the backward
pass, each part runs again with what its gradient needs. What is done is that of GradCache
(https://arxiv.org/abs/2101.06983), through autograd's own checkpoints.
"""
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .states import FrozenStates, KeptStates


@dataclass(frozen=True)
class LargeBatch:
    """How a batch is trained in parts.

    Attributes:
        clips: Clips of a part.
        states: ``'kept'``: what the branch reads of a frozen trunk's layers is kept for the second
            run, as many bytes a clip as :class:`~mmbt.models.Branch` reads; ``'recomputed'``: the
            trunk runs twice, too.

    Raises:
        ValueError: If ``clips`` is below 1, or ``states`` is neither.
    """

    clips: int
    states: str = 'kept'

    def __post_init__(self) -> None:
        if type(self.clips) is not int or self.clips < 1:
            raise ValueError(f'large_batch.clips must be at least 1, got {self.clips!r}')
        if self.states not in ('kept', 'recomputed'):
            raise ValueError("large_batch.states is 'kept' or 'recomputed', got "
                             f'{self.states!r}')

    def check(self, heads: Iterable[nn.Module]) -> None:
        """Refuse heads that need the whole encoding of all clips at once.

        Raises:
            ValueError: If there is one.
        """
        for head in heads:
            if not getattr(head, 'in_parts', False):
                raise ValueError(f'large_batch needs heads with summarize() and compare(), and '
                                 f'{type(head).__name__} has forward() alone')

    def summaries(self, backbone: nn.Module, heads: Iterable[nn.Module],
                  imgs: Tensor | FrozenStates, visible: Tensor | None) -> list[Tensor]:
        """What each head needs of all clips, (B, ...) each.

        Args:
            backbone: The video backbone.
            heads: The objectives.
            imgs: (B, T, 3, H, W) normalised frames, or the states of B clips.
            visible: Positions that the branch sees, as in :class:`~mmbt.models.BTAdapter`.
        """
        heads = list(heads)

        def run(part: Tensor | FrozenStates | KeptStates,
                positions: Tensor | None) -> tuple[Tensor, ...]:
            encoding = backbone(part, positions)
            return tuple(head.summarize(encoding, backbone.trunk) for head in heads)

        parts = []
        for first in range(0, len(imgs), self.clips):
            clips = slice(first, first + self.clips)
            part = imgs[clips]
            positions = None if visible is None else visible[clips]
            if isinstance(part, FrozenStates):
                positions = positions if part.visible is None else part.visible
            elif self.states == 'kept' and backbone.trunk.frozen:
                part = KeptStates(part)
            parts.append(checkpoint(run, part, positions, use_reentrant=False))
        return [torch.cat(each) for each in zip(*parts)]
