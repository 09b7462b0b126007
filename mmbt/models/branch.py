"""All that is trained of BT-Adapter, in the paper's form and in the authors' released one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .gates import GATES
from .layer import Block, DropPath, SelfAttention
from .states import FrameTokens
from .trunk import Trunk


class TemporalBlock(nn.Module):
    """Attention among the frames at one patch position, Eq. 2 of the paper.

    ``tokens + W_t T_attn(LN(tokens))``; with W_t zero, as at the start, it is the identity.

    Args:
        width: Channels D.
        num_heads: Attention heads.
        temporal_proj: How W_t starts: ``'zero'`` (the paper), ``'random'`` (PyTorch's default
            initialisation), or ``'none'`` for no W_t at all (Table 11).
        eps: Epsilon of the layer norm.
        drop_path: Stochastic depth of the update.
    """

    def __init__(self,
                 width: int,
                 num_heads: int,
                 temporal_proj: str = 'zero',
                 eps: float = 1e-5,
                 drop_path: float = 0.) -> None:
        super().__init__()
        if temporal_proj not in ('zero', 'random', 'none'):
            raise ValueError(
                f"temporal_proj is 'zero', 'random' or 'none', got {temporal_proj!r}")
        self.norm = nn.LayerNorm(width, eps=eps)
        self.attn = SelfAttention(width, num_heads)
        self.temporal_fc = nn.Identity() if temporal_proj == 'none' else nn.Linear(width, width)
        if temporal_proj == 'zero':
            nn.init.zeros_(self.temporal_fc.weight)
            nn.init.zeros_(self.temporal_fc.bias)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, N, D) -> (B, T, N, D); each of the B x N tubes attends over its T frames."""
        tubes = self.norm(tokens).transpose(1, 2)
        update = self.temporal_fc(self.attn(tubes)).transpose(1, 2)
        return tokens + self.drop_path(update)


class SpatialBlock(Block):
    """A CLIP layer (Eq. 1) on each frame's patches joined by the one CLS of the video.

    The CLS takes part in every frame's attention, and the T updates that it gets are averaged::

        frame 1: [cls, p11 .. p1N] -> attention -> u1, updates of p11 .. p1N
        ...                                                               cls += mean(u1 .. uT)
        frame T: [cls, pT1 .. pTN] -> attention -> uT, updates of pT1 .. pTN

    Arguments as in :class:`~mmbt.models.layer.Block`.
    """

    def forward(  # type: ignore[override]  # two streams
            self, cls: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Update the video's CLS (B, D) and its patch tokens (B, T, N, D)."""
        frames = tokens.shape[1]
        sequences = torch.cat([cls[:, None, None].expand(-1, frames, -1, -1), tokens], dim=2)
        update = self.attention_update(sequences)
        cls = cls + update[:, :, 0].mean(dim=1)
        tokens = tokens + update[:, :, 1:]
        return self.feed_forward(cls), self.feed_forward(tokens)


class Branch(nn.Module):
    """K layers of divided space-time attention, and what joins them to CLIP (Eqs. 2 to 5).

    Its parameters carry no name of the trunk's library. Arguments as in :class:`BTAdapter`.

    Attributes:
        taps: The layers of CLIP that the branch reads, V(L-K) .. V(L).
    """

    spatial_eps: float | None = None  # the trunk's

    def __init__(self, trunk: Trunk, num_layers: int, num_frames: int, temporal_proj: str,
                 combination: str, interaction: bool, drop_path: float, time_scale: float) -> None:
        super().__init__()
        width, first = trunk.width, trunk.num_layers - num_layers
        self.taps = self.tapped_layers(trunk.num_layers, num_layers)
        self.interaction = interaction
        self.start_embeddings(width, num_frames, time_scale)
        rates = [drop_path * i / max(num_layers - 1, 1) for i in range(num_layers)]
        self.temporal = nn.ModuleList(
            TemporalBlock(width, trunk.num_heads, temporal_proj, trunk.eps, rate) for rate in rates)
        self.spatial = nn.ModuleList(
            trunk.copied_block(first + i, SpatialBlock, rate, self.spatial_eps)
            for i, rate in enumerate(rates))
        self.spatial.requires_grad_(True)
        gate = GATES[combination]
        self.gates = nn.ModuleList(
            gate(width) for _ in range(num_layers - 1 if interaction else 0))
        self.output_gate = gate(width)

    @staticmethod
    def tapped_layers(depth: int, num_layers: int) -> range:
        """V(L-K) .. V(L)."""
        return range(depth - num_layers, depth + 1)

    def start_embeddings(self, width: int, num_frames: int, time_scale: float) -> None:
        """Make the video CLS and the time embedding."""
        self.cls_token = nn.Parameter(torch.empty(width))
        self.time_embedding = nn.Parameter(time_scale * sinusoids(num_frames, width))
        nn.init.trunc_normal_(self.cls_token, std=0.02)

    def time(self, frames: int) -> Tensor:
        """P_t for a number of frames, (1, T, 1, D).

        As many frames as were trained read the trained rows as they are; any other number reads
        them interpolated linearly, so that no row is read that no gradient reached. See
        :func:`interpolated`.
        """
        return interpolated(self.time_embedding, frames)[None, :, None]

    def first_cls(self, states: FrameTokens, space: FrameTokens) -> Tensor:
        """The video CLS before the first layer, (B, D): a new token (Sec. 3.1)."""
        return self.cls_token.expand(len(states.cls), -1)

    def forward(self, states: list[FrameTokens], space: FrameTokens) -> tuple[Tensor, Tensor]:
        """Run the branch beside the trunk.

        Args:
            states: Tokens of the layers ``taps``, patches at the visible positions.
            space: P_s, ``cls`` (1, 1, D) and ``patches`` (B or 1, 1, N_vis, D).

        Returns:
            The video CLS (B, D) and the patch tokens (B, T, N_vis, D) of the last layer.
        """
        first = states[0].patches
        tokens = first + self.time(first.shape[1]) + space.patches
        cls = self.first_cls(states[0], space)
        for i, (temporal, spatial) in enumerate(zip(self.temporal, self.spatial)):
            if i > 0 and self.interaction:
                tokens = self.gates[i - 1](tokens, states[i].patches)
                cls = self.gates[i - 1](cls, states[i].cls.mean(dim=1))
            cls, tokens = spatial(cls, temporal(tokens))
        return cls, tokens

    def embedding(self, cls: Tensor, clip_cls: Tensor, trunk: Trunk) -> Tensor:
        """The video embedding (B, E), Eq. 5: mean over frames, gate, LN, projection.

        Args:
            cls: (B, D), the branch's last CLS.
            clip_cls: (B, T, D), CLIP's of each frame.
            trunk: Its norm and projection.
        """
        return trunk.proj(trunk.norm(self.output_gate(cls, clip_cls.mean(dim=1))))


class ReleasedBranch(Branch):
    """The same as the authors' released weights were trained for.

    It differs in five ways: it reads V(L-K+1) .. V(L), and V(L) again at the output; its video CLS
    starts as the mean of CLIP's and of a learned shift at position 0; the output is gated,
    normalised and projected for each frame and then averaged; fewer frames than were trained
    read the first rows of the time embedding; the spatial layer norms have an epsilon of 1e-5
    beside EVA-CLIP too.
    """

    spatial_eps: float | None = 1e-5

    @staticmethod
    def tapped_layers(depth: int, num_layers: int) -> range:
        """V(L-K+1) .. V(L)."""
        return range(depth - num_layers + 1, depth + 1)

    def start_embeddings(self, width: int, num_frames: int, time_scale: float) -> None:
        """Make the shift of CLIP's CLS and the time embedding."""
        self.cls_shift = nn.Parameter(torch.zeros(width))
        self.time_embedding = nn.Parameter(time_scale * torch.randn(num_frames, width))

    def time(self, frames: int) -> Tensor:
        """P_t for a number of frames, (1, T, 1, D): the first rows, interpolated beyond them."""
        rows = self.time_embedding[:frames]
        return interpolated(rows, frames)[None, :, None]

    def first_cls(self, states: FrameTokens, space: FrameTokens) -> Tensor:
        """Half CLIP's own, averaged over frames, and half the shift at position 0, (B, D)."""
        return (states.cls.mean(dim=1) + self.cls_shift + space.cls[:, 0]) / 2

    def embedding(self, cls: Tensor, clip_cls: Tensor, trunk: Trunk) -> Tensor:
        """The video embedding (B, E): gate, LN, projection for each frame, then the mean."""
        fused = self.output_gate(cls[:, None].expand_as(clip_cls), clip_cls)
        return trunk.proj(trunk.norm(fused)).mean(dim=1)


VARIANTS: dict[str, type[Branch]] = {'paper': Branch, 'released': ReleasedBranch}


def interpolated(rows: Tensor, frames: int) -> Tensor:
    """(R, D) rows as (T, D), linearly; as they are where T is R.

    Of fewer frames than rows, each reads the time in the middle of its share of the clip: frame i
    reads place ``(i + 1/2) R / T - 1/2``. More are spread from the first row to the last, i (R - 1)
    / (T - 1), so that no two read the same: the middles of the first and the last shares lie
    outside the rows.
    """
    if frames == len(rows):
        return rows
    return F.interpolate(rows.T[None], size=frames, mode='linear',
                         align_corners=frames > len(rows))[0].T


def sinusoids(num_frames: int, width: int) -> Tensor:
    """(T, D) sines and cosines of the frame's time, from a quarter wave to T / 4 waves a clip.

    Neighbouring frames start out alike, so that rows in between, interpolated for longer clips,
    mean what they say. The mean over time is removed: a part that all frames share would move
    CLIP's tokens and tell nothing of time. The root mean square is 1; a single frame has zeros.
    """
    time = (torch.arange(num_frames) + 0.5) / num_frames
    half = (width + 1) // 2
    waves = 0.25 * max(num_frames, 1)**(torch.arange(half) / max(half - 1, 1))
    phase = 2 * torch.pi * time[:, None] * waves
    rows = torch.cat([phase.sin(), phase.cos()], dim=1)[:, :width]
    rows = rows - rows.mean(dim=0)
    return rows / rows.square().mean().sqrt() if num_frames > 1 else torch.zeros_like(rows)
