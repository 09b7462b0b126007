"""A frozen layer with most of its products in float8, for processors that have units for it.

The two products that follow a layer norm, of queries, keys and values and of the first half of the
feed-forward network, are in float8: 7/12 of a layer's weights. The two that write to the residual
stream stay in bfloat16: with all four in float8, the features of a ViT-L/14 with random weights
have a cosine of 0.9985 with those in bfloat16, with these two 0.9993.

Weights and activations are scaled row by row to the range of float8 (e4m3: 3 bits of mantissa)
right before each product, so that nothing is kept between calls and checkpoints stay as they are.
https://arxiv.org/abs/2209.05433
"""
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layer import Block

FLOAT8 = getattr(torch, 'float8_e4m3fn', None)
LARGEST = 448.  # of e4m3


def check_float8(width: int, frozen: bool) -> None:
    """Refuse what float8 cannot serve, before anything is computed.

    Raises:
        ValueError: If the trunk is trained, torch has no float8, or a width does not fit.
    """
    if not frozen:
        raise ValueError('float8 serves a frozen trunk alone; set float8=False or frozen=True')
    if FLOAT8 is None or not hasattr(torch, '_scaled_mm'):
        raise ValueError(f'torch {torch.__version__} has no float8 products; take 2.4 or later')
    if width % 16:
        raise ValueError(f'float8 needs widths that 16 divides, got {width}')


def to_float8(rows: Tensor) -> tuple[Tensor, Tensor]:
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


class Float8Linear(nn.Linear):
    """A layer whose product is in float8."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., K) -> (..., D) bfloat16."""
        return float8_linear(tokens, self.weight, self.bias)


class BFloat16Linear(nn.Linear):
    """A layer whose product is in bfloat16, whatever its weights are."""

    def forward(self, tokens: Tensor) -> Tensor:
        """(..., K) -> (..., D) bfloat16."""
        return F.linear(tokens.bfloat16(), self.weight.bfloat16(), self.bias.bfloat16())


def put_in_float8(blocks: Iterable[Block]) -> None:
    """Put layers in the place of those of a tower, with their very weights.

    Given float32 tokens, a block then returns float32, as under autocast in bfloat16.
    """
    for block in blocks:
        block.attn.qkv = in_place_of(block.attn.qkv, Float8Linear)
        block.attn.proj = in_place_of(block.attn.proj, BFloat16Linear)
        block.fc1 = in_place_of(block.fc1, Float8Linear)
        block.fc2 = in_place_of(block.fc2, BFloat16Linear)


def in_place_of(layer: nn.Linear, kind: type[nn.Linear]) -> nn.Linear:
    """A layer of another kind with the same weights."""
    with torch.device('meta'):
        other = kind(layer.in_features, layer.out_features)
    other.weight, other.bias = layer.weight, layer.bias
    return other
