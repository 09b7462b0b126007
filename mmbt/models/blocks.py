"""The branch's own transformer blocks, under names that no CLIP library decides."""
from typing import Callable, Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def quick_gelu(x: Tensor) -> Tensor:
    """``x * sigmoid(1.702 x)``, the activation of OpenAI's CLIP.

    As ``silu(1.702 x) / 1.702``, which keeps one tensor for the gradient where the plain form
    keeps two: the largest of a layer.
    """
    return F.silu(1.702 * x) / 1.702


ACTIVATIONS: Dict[str, Callable[[Tensor], Tensor]] = {'gelu': F.gelu, 'quick_gelu': quick_gelu}


def attention(qkv: Tensor, num_heads: int) -> Tensor:
    """Scaled dot-product attention of all heads, (..., L, 3D) -> (..., L, D).

    Args:
        qkv: Queries, keys and values, D channels each; tokens attend within one sequence of L.
        num_heads: Number of heads; it divides D.
    """
    *lead, length, channels = qkv.shape
    heads = qkv.reshape(-1, length, 3, num_heads, channels // 3 // num_heads)
    query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
    mixed = F.scaled_dot_product_attention(query, key, value)
    return mixed.transpose(1, 2).reshape(*lead, length, channels // 3)


class SelfAttention(nn.Module):
    """Multi-head self-attention over the second-to-last axis.

    Args:
        width: Channels D.
        num_heads: Number of heads; it divides D.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f'{num_heads} heads do not divide the width {width}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.qkv.weight)
        nn.init.zeros_(self.qkv.bias)
        nn.init.zeros_(self.proj.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., L, D) -> (..., L, D); tokens attend within one sequence of L."""
        return self.proj(attention(self.qkv(tokens), self.num_heads))


class DropPath(nn.Module):
    """Drop the residual update of whole clips (stochastic depth) while training.

    Args:
        rate: Probability that a clip's update is dropped; the others are scaled by 1 / (1 - rate).
    """

    def __init__(self, rate: float = 0.) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, update: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return update
        keep = update.new_empty((update.shape[0], ) + (1, ) * (update.ndim - 1))
        return update * keep.bernoulli_(1 - self.rate) / (1 - self.rate)


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


class SpatialBlock(nn.Module):
    """A CLIP layer (Eq. 1) on each frame's patches joined by the one CLS of the video.

    The CLS takes part in every frame's attention, and the T updates that it gets are averaged::

        frame 1: [cls, p11 .. p1N] -> attention -> u1, updates of p11 .. p1N
        ...                                                               cls += mean(u1 .. uT)
        frame T: [cls, pT1 .. pTN] -> attention -> uT, updates of pT1 .. pTN

    Args:
        width: Channels D.
        num_heads: Attention heads.
        mlp_width: Hidden channels of the feed-forward network.
        activation: ``'gelu'`` or ``'quick_gelu'``.
        eps: Epsilon of the layer norms.
        drop_path: Stochastic depth of the attention update.
    """

    def __init__(self,
                 width: int,
                 num_heads: int,
                 mlp_width: int,
                 activation: str = 'gelu',
                 eps: float = 1e-5,
                 drop_path: float = 0.) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f'activation is one of {sorted(ACTIVATIONS)}, got {activation!r}')
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = SelfAttention(width, num_heads)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.fc1 = nn.Linear(width, mlp_width)
        self.act = ACTIVATIONS[activation]
        self.fc2 = nn.Linear(mlp_width, width)
        self.drop_path = DropPath(drop_path)

    def feed_forward(self, tokens: Tensor) -> Tensor:
        """(..., D) -> (..., D), second line of Eq. 1."""
        return tokens + self.fc2(self.act(self.fc1(self.norm2(tokens))))

    def forward(self, cls: Tensor, tokens: Tensor) -> Tuple[Tensor, Tensor]:
        """Update the video's CLS (B, D) and its patch tokens (B, T, N, D)."""
        frames = tokens.shape[1]
        sequences = torch.cat([cls[:, None, None].expand(-1, frames, -1, -1), tokens], dim=2)
        update = self.drop_path(self.attn(self.norm1(sequences)))
        cls = cls + update[:, :, 0].mean(dim=1)
        tokens = tokens + update[:, :, 1:]
        return self.feed_forward(cls), self.feed_forward(tokens)
