"""Models of transformers from a folder or the hub, without code from strangers."""
from typing import Any

import torch
import transformers
from huggingface_hub.errors import HFValidationError
from mmaction.registry import MODELS
from packaging.version import Version
from torch import nn

from mmbt.files.safe_load import first_line, weights_only
from mmbt.models import Trunk
from mmbt.models.families.hugging_face_check import check_folder, one_line

DTYPES = {'float32': torch.float32, 'float16': torch.float16, 'bfloat16': torch.bfloat16}
RENAMED = Version('4.56')  # of transformers, where torch_dtype became dtype

# What transformers raises, by version, for what is not there; the last of 4.55, for a path.
MISSING = (OSError, HFValidationError)
NO_TOKENIZER = (OSError, TypeError, ValueError)


def dtype_of(name: str | None, model: str | nn.Module) -> torch.dtype:
    """The precision of a name; where there is no name, that of a module, and float32 else.

    Raises:
        ValueError: If there is no such precision.
    """
    if name is None:
        return torch.float32 if isinstance(model, str) else next(model.parameters()).dtype
    if name not in DTYPES:
        raise ValueError(f'dtype is one of float32, float16 and bfloat16, got {name!r}')
    return DTYPES[name]


def from_pretrained(kind: Any, name: str, dtype: torch.dtype, **kwargs: Any) -> nn.Module:
    """Load a model, whole.

    Raises:
        FileNotFoundError: If it is neither here nor to be had.
        ValueError: If weights are missing, which transformers would start at random, or do not
            fit, or cannot be read.
    """
    key = 'dtype' if Version(transformers.__version__) >= RENAMED else 'torch_dtype'
    check_folder(name)
    try:
        with weights_only(), one_line(name, 'the weights cannot be read or do not fit its '
                                      'config.json', MISSING):
            model, info = kind.from_pretrained(name, output_loading_info=True,
                                               trust_remote_code=False, **{key: dtype}, **kwargs)
    except MISSING as error:
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
        ValueError: If it cannot be read.
    """
    try:
        with one_line(name, 'its tokenizer cannot be read', NO_TOKENIZER):
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                name, trust_remote_code=False, **kwargs)
            letter = tokenizer('a').input_ids
    except NO_TOKENIZER as error:
        raise missing(name, 'tokenizer', error) from error
    if not letter:  # transformers 5 starts an empty one where there is none
        raise FileNotFoundError(f'{name}: no tokenizer to be had here or on the hub (none that '
                                'knows a letter)')
    return tokenizer


def missing(name: str, what: str, error: Exception) -> FileNotFoundError:
    """What to say of something that is not to be had."""
    return FileNotFoundError(
        f'{name}: no {what} to be had here or on the hub ({first_line(error)})')


def cast(model: nn.Module, dtype: torch.dtype) -> None:
    """Bring all weights to one precision, in place.

    Buffers are left, since language models compute rotations from them that must be exact.
    """
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)


def build_backbone(config: dict, trunk: Trunk) -> nn.Module:
    """The video backbone of a config beside a dialogue model's tower."""
    return MODELS.build(config, default_args=dict(trunk=trunk))
