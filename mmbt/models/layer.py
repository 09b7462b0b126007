"""One layer of a vision transformer, Eq. 1: the one that trunk and branch share.

Names of its weights are the branch's, in files that outlive this code.
"""
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .rotary import rotate


def quick_gelu(x: Tensor) -> Tensor:
    """``x * sigmoid(1.702 x)``, the activation of OpenAI's CLIP.

    As ``silu(1.702 x) / 1.702``, which keeps one tensor for the gradient where the plain form
    keeps two: the largest of a layer.
    """
    return F.silu(1.702 * x) / 1.702


def gelu_tanh(x: Tensor) -> Tensor:
    """GELU by a hyperbolic tangent, of SigLIP's largest."""
    return F.gelu(x, approximate='tanh')


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    'gelu': F.gelu, 'quick_gelu': quick_gelu, 'gelu_tanh': gelu_tanh, 'silu': F.silu}


class SelfAttention(nn.Module):
    """Multi-head self-attention over the second-to-last axis.

    Args:
        width: Channels D.
        num_heads: Number of heads; it divides D.
        qkv_bias, qk_norm, attn_norm, eps: As in :class:`~mmbt.models.vit.ViTOptions`.
    """

    def __init__(self, width: int, num_heads: int, qkv_bias: bool = True, qk_norm: bool = False,
                 attn_norm: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        if width % num_heads:
            raise ValueError(f'{num_heads} heads do not divide the width {width}')
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.q_norm = norm_or_not(qk_norm, width // num_heads, eps)
        self.k_norm = norm_or_not(qk_norm, width // num_heads, eps)
        self.norm = norm_or_not(attn_norm, width, eps)
        self.proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.qkv.weight)
        for layer in (self.qkv, self.proj):
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, rotary: Tensor | None = None) -> Tensor:
        """(..., L, D) -> (..., L, D); tokens attend within one sequence of L.

        Args:
            tokens: The tokens.
            rotary: (2, L, D / heads), how far queries and keys are turned.
        """
        *lead, length, width = tokens.shape
        heads = self.qkv(tokens).reshape(-1, length, 3, self.num_heads, width // self.num_heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4).unbind(0)
        query, key = self.q_norm(query), self.k_norm(key)
        if rotary is not None:
            query, key = rotate(query, rotary), rotate(key, rotary)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.proj(self.norm(mixed.transpose(1, 2).reshape(*lead, length, width)))


class DropPath(nn.Module):
    """Drop the residual update of whole clips, or frames, while training (stochastic depth).

    Args:
        rate: Probability that one's update is dropped; the others are scaled by 1 / (1 - rate).
    """

    def __init__(self, rate: float = 0.) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, update: Tensor) -> Tensor:
        """(B, ...) -> (B, ...)."""
        if not self.training or self.rate == 0:
            return update
        keep = update.new_empty((update.shape[0], ) + (1, ) * (update.ndim - 1))
        return update * keep.bernoulli_(1 - self.rate) / (1 - self.rate)


class LayerScale(nn.Module):
    """A factor for each channel.

    https://arxiv.org/abs/2103.17239
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width, ), 1e-5))

    def forward(self, update: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        return update * self.weight.to(update.dtype)


class Block(nn.Module):
    """One layer, Eq. 1: ``x + Attn(LN(x))``, then ``x + FFN(LN(x))``.

    The two lines can be had apart, :meth:`attend` and :meth:`feed_forward`, and their updates
    alone.

    Args:
        width: Channels D.
        num_heads: Attention heads.
        mlp_width: Hidden channels H of the feed-forward network.
        activation, eps: As in :class:`~mmbt.models.vit.ViTOptions`.
        drop_path: Stochastic depth of the attention's update.
        mlp_drop_path: Stochastic depth of the feed-forward network's.
        post_norm, qkv_bias, qk_norm, attn_norm, mlp_norm, gated, layer_scale: As in
            :class:`~mmbt.models.vit.ViTOptions`.

    Raises:
        ValueError: If the activation is unknown, or the heads do not divide the width.
    """

    def __init__(self,
                 width: int,
                 num_heads: int,
                 mlp_width: int,
                 activation: str = 'gelu',
                 eps: float = 1e-5,
                 drop_path: float = 0.,
                 mlp_drop_path: float = 0.,
                 *,
                 post_norm: bool = False,
                 qkv_bias: bool = True,
                 qk_norm: bool = False,
                 attn_norm: bool = False,
                 mlp_norm: bool = False,
                 gated: bool = False,
                 layer_scale: bool = False) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f'activation is one of {sorted(ACTIVATIONS)}, got {activation!r}')
        self.act = ACTIVATIONS[activation]
        self.post_norm, self.gated = post_norm, gated
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = SelfAttention(width, num_heads, qkv_bias, qk_norm, attn_norm, eps)
        self.scale1 = LayerScale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.fc1 = nn.Linear(width, 2 * mlp_width if gated else mlp_width)
        self.mlp_norm = norm_or_not(mlp_norm, mlp_width, eps)
        self.fc2 = nn.Linear(mlp_width, width)
        self.scale2 = LayerScale(width) if layer_scale else nn.Identity()
        self.drop_path = DropPath(drop_path)
        self.mlp_drop_path = DropPath(mlp_drop_path)

    def attention_update(self, tokens: Tensor, rotary: Tensor | None = None) -> Tensor:
        """What the attention adds to (..., L, D) tokens, each sequence of L by itself."""
        update = self.attn(tokens if self.post_norm else self.norm1(tokens), rotary)
        update = self.norm1(update) if self.post_norm else update
        return self.drop_path(self.scale1(update))

    def mlp_update(self, tokens: Tensor) -> Tensor:
        """What the feed-forward network adds to (..., D) tokens."""
        hidden = self.fc1(tokens if self.post_norm else self.norm2(tokens))
        if self.gated:
            gate, hidden = hidden.chunk(2, dim=-1)
            hidden = self.act(gate) * hidden
        else:
            hidden = self.act(hidden)
        update = self.fc2(self.mlp_norm(hidden))
        update = self.norm2(update) if self.post_norm else update
        return self.mlp_drop_path(self.scale2(update))

    def attend(self, tokens: Tensor, rotary: Tensor | None = None) -> Tensor:
        """First line of Eq. 1, (..., L, D) -> (..., L, D)."""
        return tokens + self.attention_update(tokens, rotary)

    def feed_forward(self, tokens: Tensor) -> Tensor:
        """Second line of Eq. 1, (..., D) -> (..., D)."""
        return tokens + self.mlp_update(tokens)

    def forward(self, tokens: Tensor, rotary: Tensor | None = None) -> Tensor:
        """(..., L, D) -> (..., L, D)."""
        return self.feed_forward(self.attend(tokens, rotary))


def norm_or_not(wanted: bool, width: int, eps: float) -> nn.Module:
    """A layer norm, or nothing in its place."""
    return nn.LayerNorm(width, eps=eps) if wanted else nn.Identity()
