"""The tokenizer of a text tower, which data and models share."""
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import open_clip
from torch import Tensor

from mmbt.files.hub import hub_is_out_of_reach

Arch = str | dict
CLIP = 'clip'
# Settings that open_clip's architectures give their tokenizers; no other may come with an
# architecture, since some make transformers run code.
SETTINGS = ('additional_special_tokens', 'clean', 'language', 'reduction_mask', 'strip_sep_token')


@dataclass(frozen=True)
class TokenizerSpec:
    """Which tokenizer a text tower was trained with.

    Attributes:
        name: Its folder or name on the hub, :data:`CLIP` for OpenAI's CLIP's.
        mode: open_clip's ``tokenizer_mode``.
        settings: Its settings, as sorted pairs.
    """

    name: str = CLIP
    mode: str | None = None
    settings: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        mode = [f'mode={self.mode}'] if self.mode else []
        name = os.path.basename(os.path.normpath(self.name)) if os.path.isdir(self.name) else \
            self.name
        return ' '.join([name, *mode, *(f'{key}={value}' for key, value in self.settings)])

    def build(self) -> Callable[..., Tensor]:
        """The tokenizer, one instance for each process; see :func:`build_tokenizer`."""
        return _build(self)


def tokenizer_spec(arch: Arch) -> TokenizerSpec:
    """Which tokenizer an architecture asks for.

    Args:
        arch: An open_clip name, or an open_clip architecture dict with a ``text_cfg``.

    Raises:
        ValueError: If open_clip does not know the name, or the dict asks for something else than
            a tokenizer's settings.
    """
    config = open_clip.get_model_config(arch.replace('/', '-')) if isinstance(arch, str) else arch
    if config is None:
        raise ValueError(f'unknown arch {arch!r}; see open_clip.list_models()')
    text = config.get('text_cfg') or {}
    settings = text.get('tokenizer_kwargs') or {}
    unknown = sorted(map(str, set(settings) - set(SETTINGS)))
    if unknown:
        raise ValueError(f'tokenizer_kwargs of an arch takes {", ".join(SETTINGS)}, and not '
                         f'{unknown[0]!r}')
    return TokenizerSpec(text.get('hf_tokenizer_name') or CLIP, text.get('tokenizer_mode'),
                         tuple(sorted((key, frozen(value)) for key, value in settings.items())))


def frozen(value: Any) -> Any:
    """A setting that can be hashed."""
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=4)
def _build(spec: TokenizerSpec) -> Callable[..., Tensor]:
    settings: Mapping[str, Any] = dict(spec.settings)
    if spec.name == CLIP:
        return open_clip.SimpleTokenizer(**settings)
    try:
        tokenizer = open_clip.tokenizer.HFTokenizer(
            spec.name, tokenizer_mode=spec.mode, trust_remote_code=False,
            local_files_only=hub_is_out_of_reach(), **settings)
        knows = tokenizer.tokenizer('a', add_special_tokens=False).input_ids
    except Exception as error:  # by version and file: OSError, ValueError, TypeError, ImportError
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FileNotFoundError(
            f'the tokenizer {spec.name} of this CLIP is not in the cache of the Hugging Face hub '
            f'and cannot be had ({first}); fetch it on a machine with a network') from error
    if not knows:  # transformers 5 starts an empty one where there is none
        raise FileNotFoundError(f'{spec.name} holds no tokenizer that knows a letter')
    return tokenizer


def build_tokenizer(arch: Arch = 'ViT-L-14') -> Callable[..., Tensor]:
    """The tokenizer of an architecture, one instance for each process.

    Args:
        arch: An open_clip name, or an open_clip architecture dict with a ``text_cfg``.

    Returns:
        ``tokenizer(texts, context_length=L)`` gives (M, L) int64 ids, zero-padded; where a text
        is too long, the last token kept is the end of text.

    Raises:
        ValueError: If open_clip does not know the name.
        FileNotFoundError: If the tokenizer is on the hub and cannot be had.
    """
    return tokenizer_spec(arch).build()


def tokenize(texts: Sequence[str], context_length: int, arch: Arch = 'ViT-L-14') -> Tensor:
    """(M, L) int64 token ids of M texts, by the tokenizer of an architecture.

    A model's own is ``model.trunk.tokenize(texts, context_length)``.
    """
    return build_tokenizer(arch)(list(texts), context_length=context_length)
