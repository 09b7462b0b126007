"""The vision tower of a Hugging Face folder, alone, and without running code in a file.

``from_pretrained`` would read a language model of many gigabytes for it, and would start at random
what it does not find, which happens with folders saved by another version of transformers.
"""
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from mmbt.files.hub import hub_is_out_of_reach
from mmbt.files.safe_load import (
    CheckpointError,
    check_name,
    check_weights,
    first_line,
    read_checkpoint,
)

from .hugging_face_check import (
    check_config,
    check_index,
    check_weights_fit,
    one_line,
    read_settings,
)

# model_type of a folder, or of its vision_config -> how transformers' classes begin
KINDS = {
    'clip': 'CLIPVision',
    'clip_vision_model': 'CLIPVision',
    'llava': 'CLIPVision',
    'blip-2': 'Blip2Vision',
    'blip_2_vision_model': 'Blip2Vision',
    'instructblip': 'InstructBlipVision',
    'instructblip_vision_model': 'InstructBlipVision',
}
WEIGHTS = ('model.safetensors', 'pytorch_model.bin')  # in one file, or in several with an index
MARK = 'embeddings.class_embedding'  # each tower has one, and no other part of a model
PROJECTION = 'visual_projection.weight'


def load_vision(name: str) -> tuple[nn.Module, Tensor | None]:
    """Read the vision tower of a local folder, or of a model on the hub, fetched if need be.

    Args:
        name: The folder, or the model's name.

    Returns:
        transformers' vision transformer in float32, and the weight (E, D) of the projection into
        the joint space where there is one.

    Raises:
        ValueError: If it is another kind of model, or its weights are not whole.
        FileNotFoundError: If there is no such folder or model, or it lacks a file.
    """
    transformer = empty_tower(name)
    state = vision_state(name)
    for key, value in state.items():
        if not value.is_floating_point():
            raise ValueError(f'{name}: {key} is of {value.dtype}, not of floating point: weights '
                             'that are quantised are not read')
    weight = state.pop(PROJECTION, None)
    width = transformer.config.hidden_size
    if weight is not None and (weight.ndim != 2 or weight.shape[1] != width):
        raise ValueError(f'{name}: {PROJECTION} is {tuple(weight.shape)}, no layer of {width} '
                         'channels')
    try:
        transformer.load_state_dict({key: value.float() for key, value in state.items()},
                                    assign=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()]
        raise ValueError(f'{name}: the weights of the vision tower do not fit its config.json: '
                         f"{' '.join(lines[1:2])}") from error
    return transformer, None if weight is None else weight.float()


def empty_tower(name: str) -> nn.Module:
    """The vision transformer that the folder's config.json tells of, without memory for weights.

    transformers' AutoConfig does not know vision models alone of BLIP-2 before version 5.
    """
    settings = read_json(name, 'config.json')
    whole = settings.get('model_type')
    vision = settings.get('vision_config', settings)
    kind = KINDS.get(str(vision.get('model_type', whole)))
    if kind is None or (whole in ('llava', 'blip-2', 'instructblip') and vision is settings):
        raise ValueError(f"{name}: no vision tower of CLIP, BLIP-2 or InstructBLIP in Hugging "
                         f"Face's form (model_type {whole!r})")
    check_weights_fit(name, vision)
    with one_line(name, 'no vision tower can be built of its config.json'):
        config = getattr(transformers, kind + 'Config').from_dict(vision)
        with torch.device('meta'):
            model = getattr(transformers, kind + 'Model')(config)
    return getattr(model, 'vision_model', model)


def vision_state(name: str) -> dict[str, Tensor]:
    """The vision tower's weights under its own names, and :data:`PROJECTION` if there is one."""
    files = weight_files(name)
    renamed = vision_names(name, files)
    state: dict[str, Tensor] = {}
    for path in {files[key] for key in renamed}:
        wanted = [key for key in renamed if files[key] == path]
        found = read(must_locate(name, path), wanted)
        state.update((renamed[key], value) for key, value in found.items())
    return state


def vision_names(name: str, keys: Iterable[str]) -> dict[str, str]:
    """Which weights belong to the vision tower, and their names inside it.

    Before these names stands what a version of transformers puts there, such as
    ``vision_tower.vision_model.``.
    """
    marks = [key for key in keys if key.endswith(MARK)]
    if len(marks) != 1:
        raise ValueError(f'{name} holds the weights of {len(marks) or "no"} vision towers, not of '
                         'one')
    prefix = marks[0][:-len(MARK)]
    names = {key: key[len(prefix):] for key in keys if key.startswith(prefix)}
    names.update({key: key for key in keys if key == PROJECTION})
    return {key: inner for key, inner in names.items() if not inner.endswith('position_ids')}


def part_of(name: str, beginnings: tuple[str, ...]) -> dict[str, Tensor]:
    """The weights, of all of a folder or of a model on the hub, whose names begin so."""
    files = weight_files(name)
    wanted = [key for key in files if key.startswith(beginnings)]
    state: dict[str, Tensor] = {}
    for file in {files[key] for key in wanted}:
        state.update(read(must_locate(name, file), [k for k in wanted if files[k] == file]))
    return state


def weight_files(name: str) -> dict[str, str]:
    """The name of every weight -> the file that it is in. Safetensors come first.

    Raises:
        FileNotFoundError: If there is none.
    """
    for file in WEIGHTS:
        path = locate(name, file)
        if path is not None:
            return dict.fromkeys(read(path, None), file)
        if locate(name, file + '.index.json') is not None:
            return check_index(name, file + '.index.json', read_json(name, file + '.index.json'))
    raise missing(name, ' or '.join(WEIGHTS))


def read(path: str, keys: Iterable[str] | None) -> dict[str, Any]:
    """Read some weights of a file; with None for ``keys``, the names alone of all.

    Raises:
        ValueError: If the file cannot be read, or holds code.
    """
    try:
        if path.endswith('.safetensors'):
            with safe_open(path, 'pt') as file:
                names = file.keys()
                for key in names:
                    check_name(key, 'it', path)
                if keys is None:
                    return dict.fromkeys(names)
                return {key: file.get_tensor(key) for key in keys}
        state = read_checkpoint(path, 'meta' if keys is None else 'cpu', mapped=True)
        check_weights(state, 'content', path)
        return {key: state[key] for key in (state if keys is None else keys)}
    except CheckpointError:
        raise
    except (RuntimeError, LookupError, ValueError, SafetensorError) as error:
        raise ValueError(f'{path} cannot be read ({first_line(error)}): is it whole?') from error


def read_json(name: str, file: str) -> dict[str, Any]:
    """A JSON file of a folder or of a model on the hub.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it cannot be read, or is the config of no model.
    """
    content = read_settings(Path(must_locate(name, file)))
    return check_config(name, content) if file == 'config.json' else content


def must_locate(name: str, file: str) -> str:
    """Path of a file that there must be.

    Raises:
        FileNotFoundError: If it is not to be had.
    """
    path = locate(name, file)
    if path is None:
        raise missing(name, file)
    return path


def locate(name: str, file: str) -> str | None:
    """Path of a file of a local folder or of a model on the hub, None where it has none such."""
    if os.path.isdir(name):
        path = os.path.join(name, file)
        return path if os.path.isfile(path) else None
    try:
        return hf_hub_download(name, file, local_files_only=hub_is_out_of_reach())
    except EntryNotFoundError:
        return None
    except Exception as error:
        raise missing(name, file) from error


def missing(name: str, file: str) -> FileNotFoundError:
    """What to say of a file that is not to be had."""
    if os.path.isdir(name):
        return FileNotFoundError(f'{name} has no {file}: is it the folder of a Hugging Face '
                                 'model?')
    return FileNotFoundError(f'model={name!r} is no folder here, and its {file} is neither in the '
                             'cache of the Hugging Face hub nor to be had from it')
