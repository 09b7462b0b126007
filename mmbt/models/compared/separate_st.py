"""Separate space-time attention: attention over time between CLIP's own layers."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..branch import TemporalBlock
from ..trunk import Trunk
from .inside_clip import InsideCLIP


@MODELS.register_module()
class SeparateST(InsideCLIP):
    """Separate-ST modeling of Sec. 3.2: temporal attention before CLIP's layers.

    ::

        V(L-K) -(+)- temporal - layer L-K+1 - temporal - ... - layer L - CLS of each frame - mean
                 |
                P_t

    A :class:`~mmbt.models.branch.TemporalBlock` (Eq. 2) acts on the patch tokens at one position;
    the frames' CLS tokens go past it. P_t is a learnable time embedding, zero at the start. With
    W_t zero, as at the start, the encoding is that of :class:`FrameMean`.

    Args:
        trunk: The image-text model.
        num_layers: Layers K of CLIP, at its end, with temporal attention before them, counted on
            the whole CLIP. None, the default: all (Table 1). Table 6 has 4.
        num_frames: Frames that the time embedding is trained on; other numbers read it
            interpolated. Defaults to 8 (App. A).
        temporal_proj: Start of W_t: ``'zero'``, ``'random'`` or ``'none'`` (Table 11).

    Raises:
        ValueError: If an argument is out of range, or the trunk is in float8, which has no
            gradients.
    """

    def __init__(self,
                 trunk: Trunk,
                 num_layers: int | None = None,
                 num_frames: int = 8,
                 temporal_proj: str = 'zero') -> None:
        depth = trunk.num_layers + trunk.drop_last
        num_layers = depth if num_layers is None else num_layers
        if not 1 + trunk.drop_last <= num_layers <= depth:
            raise ValueError(f'num_layers of SeparateST must lie in {1 + trunk.drop_last}..{depth},'
                             f" the trunk's layers, got {num_layers}")
        super().__init__(trunk, num_frames, first=depth - num_layers)
        self.temporal = nn.ModuleList(
            TemporalBlock(trunk.width, trunk.num_heads, temporal_proj, trunk.eps)
            for _ in range(self.first, trunk.num_layers))

    @property
    def idle_weights(self) -> tuple[str, ...]:
        """Beginnings of the names of weights that stand before layers which the trunk drops."""
        kept = len(self.temporal)
        return tuple(f'temporal.{i}.' for i in range(kept, kept + self.trunk.drop_last))

    def layer(self, index: int, tokens: Tensor) -> Tensor:
        """Attention over time, then layer ``index`` frame by frame."""
        patches = self.temporal[index - self.first](tokens[:, :, 1:])
        return self.trunk.layer(index, torch.cat([tokens[:, :, :1], patches], dim=2))
