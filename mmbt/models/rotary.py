"""Positions that turn queries and keys, as EVA-02 and the Perception Encoder have them.

https://arxiv.org/abs/2104.09864
"""
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Rotary:
    """How far each pair of channels of a head is turned at a patch.

    Half of the pairs tell one axis of the grid, half the other: pair k at place p of its axis by
    ``p / base^(k / pairs)``.

    Attributes:
        reference: The grid that places are counted on, down and across; another grid is spread
            over it. None: the tower's own.
        offset: Added to each place before it is spread.
        across_first: Whether the first half of the pairs tells the place across, not down.
        base: The ratio of the longest wave to the shortest, about.
    """

    reference: tuple[int, int] | None = None
    offset: float = 0.
    across_first: bool = False
    base: float = 10_000.

    def table(self, grid: tuple[int, int], channels: int, num_prefix: int) -> Tensor:
        """Cosines and sines, (2, P + N, channels) float32; the P tokens before are not turned.

        Args:
            grid: Patches down and across.
            channels: Channels of a head, a multiple of 4.
            num_prefix: Tokens P before the patches.
        """
        pairs = channels // 4
        pace = self.base**-(torch.arange(pairs) / pairs)
        down, across = (
            (torch.arange(size) + self.offset) / size * whole
            for size, whole in zip(grid, self.reference or grid, strict=True))
        places = torch.stack(torch.meshgrid(down, across, indexing='ij'), dim=-1).flatten(0, 1)
        places = places.flip(-1) if self.across_first else places
        turns = (places[..., None] * pace).flatten(1).repeat_interleave(2, dim=1)
        turns = torch.cat([turns.new_zeros(num_prefix, channels), turns])
        return torch.stack([turns.cos(), turns.sin()])


def rotate(heads: Tensor, rotary: Tensor) -> Tensor:
    """Turn each pair of neighbouring channels, (..., L, C) -> (..., L, C).

    Args:
        heads: Queries or keys.
        rotary: (2, L, C) cosines and sines.
    """
    cosine, sine = rotary
    turned = torch.stack([-heads[..., 1::2], heads[..., ::2]], dim=-1).flatten(-2)
    return (heads * cosine + turned * sine).to(heads.dtype)
