"""Models of transformers from a folder or the hub, without code from strangers."""
from typing import Any, Optional, Type, Union

import torch
import transformers
from mmaction.registry import MODELS
from packaging.version import Version
from torch import nn

from ..branch_file import load_branch
from ..trunks import Trunk

DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}
RENAMED = Version('4.56')  # of transformers, where torch_dtype became dtype


def dtype_of(name: Optional[str], model: Union[str, nn.Module]) -> torch.dtype:
    """The precision of a name; where there is no name, that of a module, and float32 else.

    Raises:
        ValueError: If there is no such precision.
    """
    if name is None:
        return torch.float32 if isinstance(model, str) else next(model.parameters()).dtype
    if name not in DTYPES:
        raise ValueError(f'dtype is one of float32, float16 and bfloat16, got {name!r}')
    return DTYPES[name]


def from_pretrained(kind: Type, name: str, dtype: torch.dtype, **kwargs: Any) -> nn.Module:
    """Load a model, whole.

    Raises:
        FileNotFoundError: If it is neither here nor to be had.
        ValueError: If weights are missing, which transformers would start at random.
    """
    key = 'dtype' if Version(transformers.__version__) >= RENAMED else 'torch_dtype'
    try:
        model, info = kind.from_pretrained(name, output_loading_info=True, **{key: dtype}, **kwargs)
    except OSError as error:
        raise missing(name, 'model', error) from error
    lacking = sorted(info['missing_keys'])
    if lacking:
        raise ValueError(f'{name} lacks {len(lacking)} weights of a {kind.__name__}, such as '
                         f'{lacking[0]}')
    return model


def tokenizer_of(name: str, **kwargs: Any) -> Any:
    """The tokenizer of a folder or a model on the hub.

    Raises:
        FileNotFoundError: If there is none.
    """
    try:
        return transformers.AutoTokenizer.from_pretrained(name, **kwargs)
    except OSError as error:
        raise missing(name, 'tokenizer', error) from error


def missing(name: str, what: str, error: OSError) -> FileNotFoundError:
    """What to say of something that is not to be had."""
    line = str(error).strip().splitlines()[0]
    return FileNotFoundError(f'{name}: no {what} to be had here or on the hub ({line})')


def build_backbone(config: dict, trunk: Trunk, branch: Optional[str]) -> nn.Module:
    """The video backbone of a config beside a dialogue model's tower, with a branch file."""
    backbone = MODELS.build(config, default_args=dict(trunk=trunk))
    if branch is not None:
        load_branch(backbone, branch)
    return backbone
