"""The Branching Temporal Adapter, Sec. 3.1 of the paper.

::

    CLIP    V(0) - ... - V(L-K) ---- V(L-K+1) ---- ... ---- V(L-1) ---- V(L)
                           |            |                      |          | mean over frames
           CLS, P_t, P_s -(+)          gate                   gate      gate - LN - proj - video
                           |            |                      |          | CLS
    branch               layer 1 ---- layer 2 ---- ... ---- layer K ------+
"""
from typing import List, Optional, Tuple

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..blocks import TemporalBlock
from ..combine import COMBINATIONS
from ..masks import gather_visible
from ..structures import VideoEncoding
from ..trunks import FrameTokens, Trunk


def sinusoids(num_frames: int, width: int) -> Tensor:
    """(T, D) sines and cosines of the frame's time, from a quarter wave to T / 4 waves a clip.

    Neighbouring frames start out alike, so that rows in between, interpolated for longer clips,
    mean what they say.
    """
    time = (torch.arange(num_frames) + 0.5) / num_frames
    half = (width + 1) // 2
    waves = 0.25 * max(num_frames, 1)**(torch.arange(half) / max(half - 1, 1))
    phase = 2 * torch.pi * time[:, None] * waves
    return torch.cat([phase.sin(), phase.cos()], dim=1)[:, :width]


class Branch(nn.Module):
    """All that is trained: K layers of divided space-time attention, and what joins them to CLIP.

    Its parameters carry no name of the trunk's library. Arguments as in :class:`BTAdapter`.
    """

    def __init__(self, trunk: Trunk, num_layers: int, num_frames: int, temporal_proj: str,
                 combination: str, interaction: bool, drop_path: float, time_scale: float) -> None:
        super().__init__()
        width, first = trunk.width, trunk.num_layers - num_layers
        self.interaction = interaction
        self.cls_token = nn.Parameter(torch.empty(width))
        self.time_embedding = nn.Parameter(time_scale * 2**0.5 * sinusoids(num_frames, width))
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        rates = [drop_path * i / max(num_layers - 1, 1) for i in range(num_layers)]
        self.temporal = nn.ModuleList(
            TemporalBlock(width, trunk.num_heads, temporal_proj, trunk.eps, rate) for rate in rates)
        self.spatial = nn.ModuleList(
            trunk.spatial_block(first + i, rate) for i, rate in enumerate(rates))
        self.spatial.requires_grad_(True)
        combine = COMBINATIONS[combination]
        self.gates = nn.ModuleList(
            combine(width) for _ in range(num_layers - 1 if interaction else 0))
        self.output_gate = combine(width)

    def time(self, frames: int) -> Tensor:
        """P_t for a number of frames, (1, T, 1, D).

        As many frames as were trained read the trained rows as they are; any other number reads
        them interpolated linearly, so that no row is read that no gradient reached.
        """
        rows = self.time_embedding
        if frames != len(rows):
            rows = F.interpolate(rows.T[None], size=frames, mode='linear')[0].T
        return rows[None, :, None]

    def forward(self, states: List[FrameTokens], space: Tensor) -> Tuple[Tensor, Tensor]:
        """Run the branch beside the trunk.

        Args:
            states: K + 1 tokens of V(L-K) .. V(L), patches at the visible positions.
            space: (B or 1, 1, N_vis, D), P_s at the visible positions.

        Returns:
            The video embedding before LN and projection (B, D), Eq. 5, and the patch tokens of
            the last layer (B, T, N_vis, D).
        """
        first = states[0].patches
        tokens = first + self.time(first.shape[1]) + space
        cls = self.cls_token.expand(len(first), -1)
        for i, (temporal, spatial) in enumerate(zip(self.temporal, self.spatial)):
            if i > 0 and self.interaction:
                tokens = self.gates[i - 1](tokens, states[i].patches)
                cls = self.gates[i - 1](cls, states[i].cls.mean(dim=1))
            cls, tokens = spatial(cls, temporal(tokens))
        return self.output_gate(cls, states[-1].cls.mean(dim=1)), tokens


@MODELS.register_module()
class BTAdapter(nn.Module):
    """Frozen CLIP with the Branching Temporal Adapter beside it (Eqs. 2 to 5).

    Args:
        trunk: The image-text model.
        num_layers: Layers K of the branch, 1 to L. Defaults to 4 (Table 8, Fig. 3).
        num_frames: Frames that the time embedding is trained on. Defaults to 8 (App. A).
        temporal_proj: Start of W_t: ``'zero'``, ``'random'`` or ``'none'`` (Table 11).
        combination: ``'weighted'``, ``'add'`` or ``'concat'`` (Table 11).
        interaction: Whether layers 2 to K read CLIP's layers too (Table 6).
        drop_path: Stochastic depth of the last branch layer, linear from 0 at the first.
        time_scale: Root mean square of the sinusoids that the time embedding starts from. The
            paper is silent; the authors' code starts from normal noise of 1.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(self,
                 trunk: Trunk,
                 num_layers: int = 4,
                 num_frames: int = 8,
                 temporal_proj: str = 'zero',
                 combination: str = 'weighted',
                 interaction: bool = True,
                 drop_path: float = 0.,
                 time_scale: float = 1.0) -> None:
        super().__init__()
        if not 1 <= num_layers <= trunk.num_layers:
            raise ValueError(f'num_layers of the branch must lie in 1..{trunk.num_layers}, the '
                             f"trunk's layers, got {num_layers}")
        if num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {num_frames}')
        if combination not in COMBINATIONS:
            raise ValueError(f'combination is one of {sorted(COMBINATIONS)}, got {combination!r}')
        self.trunk = trunk
        self.num_layers = num_layers
        self.branch = Branch(trunk, num_layers, num_frames, temporal_proj, combination,
                             interaction, drop_path, time_scale)

    def forward(self, imgs: Tensor, visible: Optional[Tensor] = None) -> VideoEncoding:
        """Encode clips.

        Args:
            imgs: (B, T, 3, H, W) normalised frames.
            visible: (B, N_vis) int64 sorted positions that the branch sees, None for all. CLIP
                sees all in any case: the mask is asymmetric (Sec. 3.3).
        """
        depth = self.trunk.num_layers
        states = self.trunk.hidden_states(imgs, range(depth - self.num_layers, depth + 1))
        space = self.trunk.position_embedding[None, None, 1:]
        if visible is not None:
            states = [FrameTokens(s.cls, gather_visible(s.patches, visible)) for s in states]
            space = gather_visible(space, visible)
        fused, tokens = self.branch(states, space)
        return VideoEncoding(
            video=self.trunk.proj(self.trunk.norm(fused)),
            clip_tokens=states[-1].patches,
            branch_tokens=tokens,
            visible=visible)
