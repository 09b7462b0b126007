"""Read a file of weights, whatever its suffix, without running what it holds."""
import pickle
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mmbt.files.safe_load import UNREADABLE, refusal, weights_only


def read_weights(path: Union[str, Path]) -> Tuple[Dict[str, Tensor], List[str]]:
    """The tensors of a checkpoint, mapped from the disk where its format allows.

    Args:
        path: A file of torch (an mmengine checkpoint or a bare state dict) or of safetensors.

    Returns:
        The tensors by name, and the names of what else lies beside ``state_dict``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is cut short, or holds code.
    """
    with open(path, 'rb') as file:
        safetensors = file.read(9)[8:] == b'{'  # eight bytes of length, then JSON
    try:
        content = load_file(str(path)) if safetensors else load_torch(str(path))
    except pickle.UnpicklingError as error:
        raise ValueError(refusal(str(path), str(error))) from error
    except (SafetensorError, *UNREADABLE) as error:
        first_line = (str(error).splitlines() or [''])[0]
        raise ValueError(f'{path} cannot be read as a checkpoint ({first_line}): is it one, and '
                         'whole?') from error
    return tensors_of(content, path)


def load_torch(path: str) -> Any:
    """``torch.load`` under the safe list, mapped but for files of torch before 1.6."""
    with weights_only():
        try:
            return torch.load(path, map_location='cpu', weights_only=True, mmap=True)
        except RuntimeError as error:
            if 'mmap can only be used' not in str(error):
                raise
            return torch.load(path, map_location='cpu', weights_only=True)


def tensors_of(content: Any, path: Union[str, Path]) -> Tuple[Dict[str, Tensor], List[str]]:
    """The state dict in what a file held, and the names of what lies beside it."""
    beside: List[str] = []
    if isinstance(content, dict) and isinstance(content.get('state_dict'), dict):
        beside = sorted(str(key) for key in content if key != 'state_dict')
        content = content['state_dict']
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{path} holds no weights by name; is it a checkpoint?')
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ValueError(f'{path}: {name} is a {type(value).__name__}, not a weight')
    return dict(content), beside
