"""Models as folders in Hugging Face's form: safetensors, ``config.json`` and a model card.

Nothing of a folder is run: its config is plain JSON with the keys of :data:`KEYS`, and names no
other parts than :mod:`mmbt.models.checkpoints.rebuild` knows.
"""
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file as save_tensors
from torch import Tensor

from mmbt.files.atomic import whole_file
from mmbt.files.hub import hub_is_out_of_reach
from mmbt.files.json_text import read_json
from mmbt.files.safe_load import check_weights, first_line
from mmbt.files.source import CARD, with_source
from mmbt.models import VideoTextModel
from mmbt.models.card import ModelCard
from mmbt.models.checkpoints.branch_file import marks_of_clip, trained_weights
from mmbt.models.checkpoints.card_files import model_card
from mmbt.models.checkpoints.checkpoint import OPTIONAL
from mmbt.models.trunk import TRUNK
from mmbt.version import __version__

from .loaded import LoadedModel
from .model_page import page
from .weights_file import assemble

WEIGHTS, CONFIG, PAGE = 'model.safetensors', 'config.json', 'README.md'
MODEL_TYPE, FORM = 'mmbt', 1
KEYS = ('model_type', 'form', 'mmbt_version', 'holds', CARD)
BRANCH, WHOLE = 'branch', 'whole'
MOST_BYTES = 2**20  # of a config


def save_pretrained(model: LoadedModel | VideoTextModel, folder: str | os.PathLike,
                    whole: bool = False) -> None:
    """Write a model as a folder that :func:`from_pretrained` and :func:`mmbt.load` take.

    Args:
        model: What :func:`mmbt.load` or :func:`mmbt.apis.init_model` gave.
        folder: Made where there is none. What lies there under the same names is replaced.
        whole: Whether CLIP is written too. Else it is what was trained beside it, with CLIP's
            fingerprint, and CLIP is found by its name.

    Raises:
        ValueError: If there is no branch to be written apart from CLIP, or the model has a part
            that a folder cannot tell of.
    """
    inner = model.model if isinstance(model, LoadedModel) else model
    card = model_card(inner)
    if isinstance(model, LoadedModel):
        card = replace(card, temperature=model.temperature)
    state = weights_of(inner, whole)
    config = dict(model_type=MODEL_TYPE, form=FORM, mmbt_version=__version__,
                  holds=WHOLE if whole else BRANCH, **{CARD: card.to_dict()})
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'{folder} is no folder')
    with whole_file(folder / WEIGHTS) as draft:
        save_tensors(state, draft, metadata=dict(format='pt'))
    with whole_file(folder / PAGE) as draft:
        draft.write_text(page(card, state, whole), encoding='utf-8')
    with whole_file(folder / CONFIG) as draft:  # last: what has it is whole
        draft.write_text(json.dumps(config, indent=2) + '\n', encoding='utf-8')


def weights_of(model: VideoTextModel, whole: bool) -> dict[str, Tensor]:
    """What a folder holds of a model: no objectives, each weight in memory of its own."""
    if whole:
        state = model.state_dict()
    else:
        try:
            state = {**trained_weights(model), **marks_of_clip(model)}
        except ValueError as error:
            raise ValueError(f'{error} (whole=True)') from None
    return {name: value.detach().cpu().contiguous().clone() for name, value in state.items()
            if not name.startswith((*OPTIONAL, 'cls_head.'))}


def from_pretrained(name: str | os.PathLike, device: str | torch.device = 'cpu', *,
                    clip: str | None = None, frames: int | None = None,
                    dtype: str | torch.dtype | None = None,
                    revision: str | None = None) -> LoadedModel:
    """A model from a folder of :func:`save_pretrained`, here or on the Hugging Face hub.

    Args:
        name: The folder, or ``'owner/name'`` on the hub, fetched once.
        device: As :func:`mmbt.load` takes it; and so the others.
        clip: CLIP's weights for a branch without them.
        frames: Frames read of a video.
        dtype: What the weights are cast to.
        revision: Of a folder on the hub.

    Raises:
        FileNotFoundError: If the folder, or CLIP, is neither here nor to be had.
        ValueError: If it is no such folder, or its files do not fit each other.
    """
    folder = Path(name) if os.path.isdir(name) else fetch(os.fspath(name), revision)
    for part in (CONFIG, WEIGHTS):
        if not (folder / part).is_file():
            raise FileNotFoundError(f'{folder / part} is missing: {name} is no folder of '
                                    'save_pretrained')
    card, holds = read_config(folder / CONFIG)
    path = str(folder / WEIGHTS)
    state = read_tensors(path)
    has_clip = any(key.startswith(TRUNK) for key in state)
    if has_clip != (holds == WHOLE):
        raise ValueError(f'{folder / CONFIG} says that {WEIGHTS} holds a {holds} model, and it '
                         f'holds {"CLIP too" if has_clip else "no CLIP"}')
    checkpoint = with_source(dict(meta={CARD: card.to_dict()}, state_dict=state), path)
    return assemble(checkpoint, card, path, device, dtype, clip, frames)


def read_config(path: Path) -> tuple[ModelCard, str]:
    """The card of a folder, and whether it holds a whole model or a branch.

    Raises:
        ValueError: If it is no config of a folder, or of a later form.
    """
    values: dict[str, Any] = read_json(path, dict, CONFIG, most=MOST_BYTES)
    if values.get('model_type') != MODEL_TYPE:
        raise ValueError(f'{path} is no config of a model of mmbt (model_type: '
                         f'{ascii(values.get("model_type"))[:40]})')
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise ValueError(f'{path} has the key {ascii(unknown[0])[:40]}, which is none of '
                         f'{", ".join(KEYS)}')
    if values.get('form') != FORM or type(values['form']) is not int:
        raise ValueError(f'{path} is of form {ascii(values.get("form"))[:40]}, and mmbt '
                         f'{__version__} reads form {FORM}')
    holds = values.get('holds')
    if holds not in (BRANCH, WHOLE):
        raise ValueError(f'{path}: holds is {ascii(holds)[:40]}, neither {BRANCH!r} nor {WHOLE!r}')
    return ModelCard.from_dict(values.get(CARD), str(path)), str(holds)


def read_tensors(path: str) -> dict[str, Tensor]:
    """The weights of a file of safetensors, and of no other kind.

    Raises:
        ValueError: If it is none, or has names that are none.
    """
    try:
        state = load_tensors(path)
    except (SafetensorError, ValueError, RuntimeError, KeyError, OverflowError) as error:
        raise ValueError(f'{path} is no file of safetensors, or not whole '
                         f'({first_line(error)})') from None
    check_weights(state, 'weights', path)
    return state


def fetch(name: str, revision: str | None = None) -> Path:
    """The local copy of a folder on the hub: its config and weights, nothing else.

    Raises:
        FileNotFoundError: If it is neither here nor to be had.
    """
    try:
        return Path(huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=[CONFIG, WEIGHTS],
            local_files_only=hub_is_out_of_reach()))
    except Exception as error:  # by version: a dozen kinds
        raise FileNotFoundError(f'{name} is no folder here, and not to be had from the Hugging '
                                f'Face hub ({first_line(error)})') from error


def push_to_hub(model: LoadedModel | VideoTextModel, repo_id: str, whole: bool = False,
                private: bool = False, token: str | None = None) -> str:
    """Write a model to the Hugging Face hub, as :func:`save_pretrained` does to a folder.

    Args:
        model: The model.
        repo_id: ``'owner/name'``; made where there is none.
        whole: Whether CLIP is written too.
        private: Whether a new repository is private.
        token: The hub's; None for the one of ``hf auth login``.

    Returns:
        The address of the commit.
    """
    api = huggingface_hub.HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, folder, whole)
        api.create_repo(repo_id, private=private, exist_ok=True)
        return str(api.upload_folder(repo_id=repo_id, folder_path=folder,
                                     commit_message=f'A model of mmbt {__version__}'))
