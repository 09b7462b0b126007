"""What must not be computed in half precision under autocast."""
from contextlib import AbstractContextManager
from typing import Tuple

import torch
from torch import Tensor


def in_float32(*tensors: Tensor) -> Tuple[Tensor, ...]:
    """Tensors in float32 at least, through which gradients flow."""
    return tuple(tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors)


def without_autocast(tensor: Tensor) -> AbstractContextManager:
    """A context in which operators on a tensor's device keep the precision of what they are given.

    Similarities over a temperature of 0.01 reach 100; bfloat16 has 8 bits, and would round them to
    halves.
    """
    return torch.autocast(tensor.device.type, enabled=False)
