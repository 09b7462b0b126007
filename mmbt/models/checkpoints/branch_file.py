"""Files of a trained branch without the CLIP that it stands beside."""
import logging
from pathlib import Path

import torch
from mmengine.logging import print_log
from mmengine.runner.checkpoint import _load_checkpoint
from torch import Tensor, nn

from mmbt.files.atomic import whole_file
from mmbt.files.safe_load import first_line
from mmbt.files.source import CARD, source_of
from mmbt.version import __version__

from ..fingerprint import fingerprint
from .card_files import model_card
from .checkpoint import FINGERPRINT, check_state_dict, holds_trunk, must_exist


def save_branch(model: nn.Module, path: str | Path) -> None:
    """Write what was trained, with fingerprint and card of the CLIP that it was trained beside.

    The names do not depend on the library that CLIP is from. The file loads wherever a checkpoint
    does, and with :func:`load_branch` into a backbone beside any trunk of the same CLIP. The file
    is whole or not there.

    Of a dialogue model it holds the weight that joins branch and CLIP and the projector too.

    Args:
        model: A :class:`VideoTextModel`, a dialogue model, or a backbone such as
            :class:`BTAdapter` or :class:`SeparateST`.
        path: The file, ``.pth``.

    Raises:
        ValueError: If CLIP was trained too, or nothing was.
    """
    root = as_model(model)
    state = {name: value.detach().cpu().clone() for name, value in trained_weights(root).items()}
    state.update(marks_of_clip(root))
    with whole_file(path) as draft:
        torch.save(dict(meta={'mmbt_version': __version__, CARD: model_card(root).to_dict()},
                        state_dict=state), draft)


def trained_weights(root: nn.Module) -> dict[str, Tensor]:
    """The parameters of a model that are trained beside its frozen CLIP, by name.

    Of a dialogue model's parts they are all outside CLIP, whether training goes on or not.

    Raises:
        ValueError: If CLIP is trained too, or nothing of the backbone is.
    """
    root = as_model(root)
    if not root.backbone.trunk.frozen:
        raise ValueError('CLIP is trained too, so there is no branch to save apart from it; save '
                         'the whole model')
    if is_dialogue(root):
        return outside_clip(root)
    state = {name: value for name, value in root.named_parameters() if value.requires_grad}
    if not any(name.startswith('backbone.') for name in state):
        raise ValueError(f'a {type(root.backbone).__name__} has nothing that is trained')
    return state


def load_branch(model: nn.Module, path: str | Path) -> None:
    """Load a branch file beside the CLIP at hand, in place.

    Args:
        model: A :class:`VideoTextModel`, a dialogue model, or a backbone whose trunk may be of
            another library, or lack its last layers.
        path: A file of :func:`save_branch`. A dialogue model also takes a checkpoint of its
            instruction tuning, with CLIP where that was tuned too.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the branch is of another architecture, was trained beside another CLIP, or
            the file holds CLIP too, or code.
    """
    root = as_model(model)
    must_exist(path, 'branch file')
    checkpoint = _load_checkpoint(str(path), map_location='cpu', logger='silent')
    if holds_trunk(checkpoint) and not is_dialogue(root):
        raise ValueError(f'{path} holds CLIP too; write its branch apart with '
                         "save_branch(init_model(config, checkpoint), 'branch.pth')")
    weights = checkpoint.get('state_dict', checkpoint)
    state = dict(weights)
    try:
        check_state_dict(root, state, '', source_of(weights))
        root.load_state_dict(state, strict=False)
    except (ValueError, RuntimeError) as error:
        if str(path) in str(error):
            raise
        raise ValueError(f'{path}: {first_line(error)}') from error


def as_model(model: nn.Module) -> nn.Module:
    """A model as it is; of a dialogue model its tuned parts; a backbone as that of a model."""
    if 'backbone' in dict(model.named_children()):
        return model
    if hasattr(model, 'tuned_parts'):
        return model.tuned_parts()
    if not hasattr(model, 'trunk'):
        raise ValueError(f'a {type(model).__name__} is neither a VideoTextModel, a dialogue model '
                         'nor a backbone')
    return nn.ModuleDict(dict(backbone=model))


def is_dialogue(root: nn.Module) -> bool:
    """Whether what :func:`as_model` gave are the parts of a dialogue model."""
    return 'projector' in dict(root.named_children())


def outside_clip(root: nn.Module) -> dict[str, Tensor]:
    """All parameters but CLIP's, by name."""
    clip = set(map(id, root.backbone.trunk.parameters()))
    return {name: value for name, value in root.named_parameters() if id(value) not in clip}


def warn_untrained(backbone: nn.Module, remedy: str) -> None:
    """Say in one line that a backbone is as it was built, where it has more than CLIP's weights."""
    if outside_clip(as_model(backbone)):
        print_log(f'the {type(backbone).__name__} is untrained, so that what the model says of '
                  f'videos means nothing; {remedy}', logger='current', level=logging.WARNING)


def marks_of_clip(root: nn.Module) -> dict[str, Tensor]:
    """The fingerprint of a model's CLIP, as files hold it."""
    marks = fingerprint(root.backbone.trunk.canonical_state())
    return {FINGERPRINT + name: value for name, value in marks.items()}
