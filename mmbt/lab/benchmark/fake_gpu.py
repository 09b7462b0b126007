"""A GPU without one: tensors of shapes and a device alone, to follow a forward pass on any machine.

Torch's fake tensors compute nothing and hold nothing. They refuse what a real GPU would punish: an
operator whose tensors lie on two devices, and reading a value on the host, for which the host
waits. Torch follows no backward pass to a GPU that is not there.
"""
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = 'cuda'


class LiveMemory(TorchDispatchMode):
    """Bytes of the tensors of one device that are alive, of those made within this context.

    What an operator takes for itself while it runs is not seen, nor what an allocator keeps.

    Args:
        device: Kind of device, ``'cuda'`` or ``'cpu'``.

    Attributes:
        now: Bytes that are alive.
        peak: The most that were.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.sizes: dict[int, int] = {}
        self.now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == self.device:
                self.add(tensor.untyped_storage())
        return result

    def add(self, storage: torch.UntypedStorage) -> None:
        """Count a storage, once, until it is freed."""
        key = storage._cdata
        if key not in self.sizes:
            self.sizes[key] = storage.nbytes()
            self.now += self.sizes[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self.free, key)

    def free(self, key: int) -> None:
        """Forget a storage."""
        self.now -= self.sizes.pop(key)


@contextmanager
def fake_gpu() -> Iterator[None]:
    """Let tensors be made on ``'cuda'`` that are shapes alone, and autocast serve them.

    Raises:
        RuntimeError: From within, by torch: if an operator mixes devices, or a value is read on
            the host (``DataDependentOutputException``).
    """
    with mock.patch('torch.cuda.amp.common.amp_definitely_not_available', lambda: False), \
            mock.patch('torch.cuda.is_bf16_supported', lambda *_, **__: True), \
            FakeTensorMode(allow_non_fake_inputs=True):
        yield


def to_fake_gpu(model: nn.Module, device: str = DEVICE) -> nn.Module:
    """Put shapes on the GPU in the place of a model's weights and buffers; call in the context.

    Args:
        model: Is changed.
        device: ``'cpu'`` for shapes that a backward pass can be followed with.
    """
    for module in model.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                module._parameters[name] = nn.Parameter(
                    torch.empty_like(weight, device=device), weight.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty_like(buffer, device=device)
    return model
