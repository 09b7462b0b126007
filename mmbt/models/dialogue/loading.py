"""Models of transformers from a folder or the hub, without code from strangers."""
from typing import Any, Optional, Type, Union

import torch
import transformers
from huggingface_hub.errors import HFValidationError
from mmaction.registry import MODELS
from packaging.version import Version
from safetensors import SafetensorError
from torch import nn

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
        ValueError: If weights are missing, which transformers would start at random, or do not
            fit, or cannot be read.
    """
    key = 'dtype' if Version(transformers.__version__) >= RENAMED else 'torch_dtype'
    try:
        model, info = kind.from_pretrained(name, output_loading_info=True, **{key: dtype}, **kwargs)
    except (OSError, HFValidationError) as error:  # the latter of 4.55, for a path
        raise missing(name, 'model', error) from error
    except (RuntimeError, SafetensorError) as error:
        raise ValueError(f'{name}: the weights cannot be read or do not fit its config.json '
                         f'({first_line(error)})') from error
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
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, **kwargs)
    except (OSError, TypeError, ValueError) as error:  # by version, from a folder that has none
        raise missing(name, 'tokenizer', error) from error
    if not tokenizer('a').input_ids:  # transformers 5 starts an empty one where there is none
        raise FileNotFoundError(f'{name}: no tokenizer to be had here or on the hub (none that '
                                'knows a letter)')
    return tokenizer


def missing(name: str, what: str, error: Exception) -> FileNotFoundError:
    """What to say of something that is not to be had."""
    return FileNotFoundError(
        f'{name}: no {what} to be had here or on the hub ({first_line(error)})')


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def cast(model: nn.Module, dtype: torch.dtype) -> None:
    """Bring all weights to one precision, in place.

    Buffers are left, since language models compute rotations from them that must be exact.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def build_backbone(config: dict, trunk: Trunk) -> nn.Module:
    """The video backbone of a config beside a dialogue model's tower."""
    return MODELS.build(config, default_args=dict(trunk=trunk))
