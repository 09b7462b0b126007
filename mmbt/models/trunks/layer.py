"""One layer of CLIP (Eq. 1) from its weights, for those that need it in parts or in float8."""
from typing import Callable, Dict

import torch.nn.functional as F
from torch import Tensor

from ..blocks import ACTIVATIONS, attention

State = Dict[str, Tensor]  # a layer's weights under a SpatialBlock's names
Linear = Callable[[Tensor, Tensor, Tensor], Tensor]  # tokens, weight, bias


def attend(tokens: Tensor,
           state: State,
           num_heads: int,
           eps: float,
           into: Linear = F.linear,
           back: Linear = F.linear) -> Tensor:
    """The attention of a layer, first line of Eq. 1, (..., L, D) -> (..., L, D).

    Args:
        tokens: (..., L, D); tokens attend within one sequence of L.
        state: The layer's weights.
        num_heads: Attention heads.
        eps: Epsilon of the layer norm.
        into: The product behind the layer norm.
        back: The product whose result is added to the tokens.
    """
    qkv = into(norm(tokens, state, 'norm1', eps), state['attn.qkv.weight'], state['attn.qkv.bias'])
    return tokens + back(attention(qkv, num_heads), state['attn.proj.weight'],
                         state['attn.proj.bias'])


def feed_forward(tokens: Tensor,
                 state: State,
                 activation: str,
                 eps: float,
                 into: Linear = F.linear,
                 back: Linear = F.linear) -> Tensor:
    """The MLP of a layer, second line of Eq. 1, (..., D) -> (..., D).

    Args:
        tokens: (..., D).
        state: The layer's weights.
        activation: ``'gelu'`` or ``'quick_gelu'``.
        eps: Epsilon of the layer norm.
        into: The product behind the layer norm.
        back: The product whose result is added to the tokens.
    """
    hidden = into(norm(tokens, state, 'norm2', eps), state['fc1.weight'], state['fc1.bias'])
    return tokens + back(ACTIVATIONS[activation](hidden), state['fc2.weight'], state['fc2.bias'])


def norm(tokens: Tensor, state: State, name: str, eps: float) -> Tensor:
    """A layer norm of a layer, (..., D) -> (..., D)."""
    return F.layer_norm(tokens, tokens.shape[-1:], state[f'{name}.weight'], state[f'{name}.bias'],
                        eps)
