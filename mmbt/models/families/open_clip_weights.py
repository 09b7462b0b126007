"""Finding and loading the weights of an open_clip model, without running code in a file."""
import copy
import difflib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import huggingface_hub.constants
import open_clip
from open_clip.factory import load_checkpoint
from safetensors import SafetensorError
from torch import Tensor, nn

from mmbt.files.hub import hub_is_out_of_reach
from mmbt.files.safe_load import (
    CheckpointError,
    check_parts,
    in_line,
    read_checkpoint,
    weights_only,
)

from ..trunk import TRUNK

# What open_clip and torch raise for a file of other weights, or of something else.
MISFITS = (RuntimeError, LookupError, AttributeError, TypeError, ValueError, ArithmeticError,
           StopIteration, SafetensorError)


def architecture(arch: str | dict, pretrained: str | None = None) -> dict:
    """Arguments of open_clip's ``CustomTextCLIP`` for an architecture.

    Args:
        arch: open_clip's name of it, or its dict.
        pretrained: A tag may ask for quick-GELU, which the name alone does not tell.

    Raises:
        ValueError: If the name is unknown, the dict lacks a key, or the text tower cannot be
            served.
    """
    if isinstance(arch, str):
        config = open_clip.get_model_config(arch.replace('/', '-'))
        if config is None:
            close = difflib.get_close_matches(arch, open_clip.list_models(), n=3)
            hint = f"; did you mean {' or '.join(close)}?" if close else \
                '; see open_clip.list_models()'
            raise ValueError(f'unknown arch {arch!r}{hint}')
        tag = open_clip.get_pretrained_cfg(arch, pretrained) if pretrained else None
        if tag and tag.get('quick_gelu', False):
            config['quick_gelu'] = True
    else:
        config = copy.deepcopy(dict(arch))
        missing = [key for key in ('embed_dim', 'vision_cfg', 'text_cfg') if key not in config]
        if missing:
            raise ValueError(f"the arch dict lacks {', '.join(missing)}")
    for key in ('custom_text', 'multimodal_cfg'):
        config.pop(key, None)
    for part in ('vision_cfg', 'text_cfg'):
        config[part] = dict(config[part])
    check_text(arch, config['text_cfg'])
    return config


def check_text(arch: str | dict, text: dict) -> None:
    """Refuse a text tower that does not read a caption at its end, before it is built.

    Raises:
        ValueError: If it is such a one.
    """
    why = None
    if text.get('hf_model_name'):
        why = f"is Hugging Face's {text['hf_model_name']}"
    elif text.get('embed_cls') or text.get('output_tokens'):
        why = 'is that of a CoCa, with a token of its own behind the caption'
    elif text.get('pool_type', 'argmax') not in ('argmax', 'eos') or text.get('no_causal_mask'):
        why = 'reads a caption elsewhere than at its end, or backwards too'
    if why:
        raise ValueError(f'{in_words(arch)}: the text tower {why}, which is not served; take one '
                         'of a plain CLIP')


def load_weights(model: nn.Module, arch: str | dict, path: str) -> None:
    """Load a local file of open_clip's into its model with custom text.

    Raises:
        ValueError: If the weights belong to another architecture.
    """
    with misfit(arch, path), weights_only():
        load_checkpoint(model, path, strict=True, weights_only=True)


@contextmanager
def misfit(arch: str | dict, path: str) -> Iterator[None]:
    """Inside, what is raised for weights of something else becomes one line that names the file.

    Raises:
        ValueError: In the place of it.
    """
    try:
        yield
    except CheckpointError as error:
        if 'TorchScript' in error.reason:
            raise ValueError(
                f'{path} is a TorchScript archive, which may hold code and is not read; take '
                'open_clip_model.safetensors of the same weights') from error
        raise
    except MISFITS as error:
        first = str(error).strip().splitlines()[:2] or [type(error).__name__]
        raise ValueError(f'{path} does not hold the weights of {in_words(arch)}: '
                         f"{' '.join(in_line(line.strip()) for line in first)}") from error


def in_words(arch: str | dict) -> str:
    """How errors call an architecture."""
    return f'arch {arch!r}' if isinstance(arch, str) else 'the arch dict'


def find_weights(arch: str | dict, pretrained: str) -> str:
    """Path of a local file or of a tag's weights in open_clip's cache, fetched if need be.

    Raises:
        FileNotFoundError: If there is no such file or tag, or the tag's weights cannot be fetched.
    """
    if os.path.isfile(pretrained):
        return pretrained
    tag = open_clip.get_pretrained_cfg(arch, pretrained) if isinstance(arch, str) else None
    if not tag:
        known = open_clip.list_pretrained_tags_by_model(arch) if isinstance(arch, str) else []
        tags = f"nor one of the tags {', '.join(known)}" if known else 'nor a tag: arch has none'
        raise FileNotFoundError(f'pretrained={pretrained!r} is neither a file here {tags}')
    offline = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = offline or hub_is_out_of_reach()
    try:
        return open_clip.download_pretrained(tag)
    except Exception as error:
        raise FileNotFoundError(
            f'the weights {pretrained!r} of {arch} are not in the cache '
            f'({huggingface_hub.constants.HF_HUB_CACHE}) and cannot be fetched; fetch them on a '
            'machine with a network, or set model.trunk.pretrained to a local file') from error
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = offline


def own_trunk_weights(arch: str | dict, path: str) -> dict[str, Tensor] | None:
    """The trunk inside a checkpoint of this project, under its own names; None of other files.

    Args:
        arch: What the weights should be of, for errors.
        path: The file.

    Raises:
        ValueError: If it is a file that is never read.
    """
    if path.endswith(('.npz', '.npy')):
        raise ValueError(f'{path}: weights of numpy are of models that the branch cannot stand '
                         'beside; take .safetensors, .bin, .pt or .pth')
    if not path.endswith('.pth'):
        return None
    with misfit(arch, path):
        state = check_parts(read_checkpoint(path), path).get('state_dict', {})
    trunk = {key[len(TRUNK):]: value for key, value in state.items() if key.startswith(TRUNK)}
    return trunk or None
