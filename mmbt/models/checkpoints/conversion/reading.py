"""Read a file of weights, whatever its suffix, without running what it holds."""
from pathlib import Path
from typing import Any

from torch import Tensor

from mmbt.files.safe_load import check_name, in_line, read_checkpoint


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors of a checkpoint, mapped from the disk where its format allows.

    Args:
        path: A file of torch (an mmengine checkpoint or a bare state dict) or of safetensors.

    Returns:
        The tensors by name, and the names of what else lies beside ``state_dict``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint, is cut short, or holds code.
    """
    return _tensors_of(read_checkpoint(path, mapped=True), path)


def _tensors_of(content: Any, path: str | Path) -> tuple[dict[str, Tensor], list[str]]:
    """The state dict in what a file held, and the names of what lies beside it."""
    beside: list[str] = []
    if isinstance(content, dict) and isinstance(content.get('state_dict'), dict):
        beside = sorted(in_line(str(key)) for key in content if key != 'state_dict')
        content = content['state_dict']
    if not isinstance(content, dict) or not content:
        raise ValueError(f'{path} holds no weights by name; is it a checkpoint?')
    for name, value in content.items():
        if not isinstance(value, Tensor):
            raise ValueError(f'{path}: {in_line(str(name))} is a {type(value).__name__}, not a '
                             'weight')
        check_name(name, 'it', path)
    return dict(content), beside
