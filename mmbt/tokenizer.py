"""The tokenizer of a text tower, which data and models share."""
from functools import lru_cache
from typing import Callable, Dict, Sequence, Union

import open_clip
from torch import Tensor


@lru_cache(maxsize=4)
def _named_tokenizer(arch: str) -> Callable[..., Tensor]:
    if open_clip.get_model_config(arch) is None:
        raise ValueError(f'unknown arch {arch!r}; see open_clip.list_models()')
    return open_clip.get_tokenizer(arch)


@lru_cache(maxsize=1)
def _clip_tokenizer() -> Callable[..., Tensor]:
    return open_clip.SimpleTokenizer()


def build_tokenizer(arch: Union[str, Dict] = 'ViT-L-14') -> Callable[..., Tensor]:
    """The tokenizer of an architecture, one instance for each process.

    Args:
        arch: An open_clip name, or an open_clip architecture dict with a ``text_cfg``.

    Returns:
        ``tokenizer(texts, context_length=L)`` gives (M, L) int64 ids, zero-padded; where a text
        is too long, the last token kept is the end of text.

    Raises:
        ValueError: If open_clip does not know the name.
    """
    if isinstance(arch, str):
        return _named_tokenizer(arch)
    name = arch.get('text_cfg', {}).get('hf_tokenizer_name')
    return open_clip.tokenizer.HFTokenizer(name) if name else _clip_tokenizer()


def tokenize(texts: Sequence[str], context_length: int,
             arch: Union[str, Dict] = 'ViT-L-14') -> Tensor:
    """(M, L) int64 token ids of M texts."""
    return build_tokenizer(arch)(list(texts), context_length=context_length)
