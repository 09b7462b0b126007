"""Which model something was made by: a hash of all that its results depend on."""
import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..vit import ViTOptions

LIBRARIES = ('torch', 'open_clip', 'timm', 'transformers')


def hash_model(module: nn.Module, tensors: Mapping[str, Tensor], more: str = '') -> str:
    """A hash of weights, kinds of modules and their settings.

    Args:
        module: Whose parts and settings count.
        tensors: The weights and constants that count, by name.
        more: Whatever else counts.
    """
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)}\n'.encode())
        values = value.detach().cpu().contiguous().flatten()
        digest.update(values.view(torch.uint8).numpy())
    for name, part in module.named_modules():
        digest.update(f'{name} {type(part).__name__} {settings(part)}\n'.encode())
    digest.update(more.encode())
    return digest.hexdigest()


def settings(module: nn.Module) -> list[tuple[str, Any]]:
    """The plain values that a module of this project, or a user's, was built with."""
    if type(module).__module__.split('.')[0] in LIBRARIES:
        return []  # their kind and weights say what they do

    def is_plain(value: Any) -> bool:
        if isinstance(value, (tuple, list)):
            return all(map(is_plain, value))
        return isinstance(value, (bool, int, float, str, ViTOptions))

    return sorted((key, value) for key, value in vars(module).items()
                  if not key.startswith('_') and key not in ('training', 'frozen')
                  and is_plain(value))
