"""The config of a model from its weights and their card, where no config file is at hand.

What the card does not tell, the names and shapes of the weights do. Both may be a stranger's: the
backbones are those of :data:`BACKBONES`, and the architecture is checked as ``arch.json`` is.
"""
import copy
import re
from collections.abc import Callable, Mapping
from typing import Any

import open_clip

from ..card import ModelCard
from ..trunk import TRUNK

State = Mapping[str, Any]
BRANCH, OPENAI = 'backbone.branch.', 'openai'
FRAMES = ('mean', 'std', 'resize_mode', 'interpolation')


def model_config(card: ModelCard, state: State, source: str,
                 clip: str | None = None) -> dict[str, Any]:
    """The config of the :class:`~mmbt.models.VideoTextModel` that weights are of.

    Args:
        card: The card that came with them.
        state: The weights by name, or their shapes alone.
        source: Where they are from, for errors.
        clip: CLIP's weights for a branch without them, a file or one of open_clip's tags. None:
            the tag of the card, and OpenAI's where it names none.

    Raises:
        ValueError: Naming what the card lacks, or has and is not served; or if ``clip`` is given
            with weights that hold CLIP.
    """
    if card.tokenizer is None:
        raise ValueError(f'{source}: its model card names no tokenizer, so that it was made beside '
                         'a CLIP without a text tower: load it with init_model and its config')
    try:
        backbone = BACKBONES[card.backbone or ''](card, state)
    except KeyError as error:
        lacks = 'names no backbone' if card.backbone is None else \
            f'says backbone={card.backbone!r}, which is none of {", ".join(BACKBONES)}'
        if card.backbone in BACKBONES:
            lacks = f'says backbone={card.backbone!r}, and the weights lack {error.args[0]}'
        raise ValueError(f'{source}: its model card {lacks}') from None
    arch = arch_of(card, source)
    trunk: dict[str, Any] = dict(type='OpenCLIPTrunk', arch=arch)
    if not any(name.startswith(TRUNK) for name in state):
        trunk['pretrained'] = clip or tag_of(card, arch, source)
    elif clip is not None:
        raise ValueError(f'{source} holds CLIP already: leave clip={clip!r} out')
    else:
        trunk['preprocess_cfg'] = {name: getattr(card, name) for name in FRAMES
                                   if getattr(card, name) is not None}
    return dict(type='VideoTextModel', trunk=trunk, backbone=dict(type=card.backbone, **backbone),
                data_preprocessor=dict(type='VideoTextDataPreprocessor'))


def arch_of(card: ModelCard, source: str) -> str | dict[str, Any]:
    """open_clip's name of a card's architecture, or the dict of it, with the card's activation.

    Raises:
        ValueError: If the card does not tell it.
    """
    if card.architecture is not None:
        arch = copy.deepcopy(card.architecture)
    else:
        known = open_clip.get_model_config(card.arch) if card.arch else None
        if known is None:
            raise ValueError(f"{source}: its model card says arch={card.arch!r}, which is no name "
                             'of open_clip, and has no architecture: load it with init_model and '
                             'its config')
        if card.activation in (None, activation_of(known)):
            return str(card.arch)
        name = f'{card.arch}-quickgelu'
        if card.activation == 'quick_gelu' and name in open_clip.list_models():
            return name
        arch = known
    if card.activation is not None:
        arch['quick_gelu'] = card.activation == 'quick_gelu'
    if arch['vision_cfg'].get('timm_model_pretrained'):
        arch['vision_cfg']['timm_model_pretrained'] = False
    return arch


def activation_of(arch: Mapping[str, Any]) -> str:
    """The card's word for an architecture's activation."""
    return 'quick_gelu' if arch.get('quick_gelu', False) else 'gelu'


def tag_of(card: ModelCard, arch: str | dict[str, Any], source: str) -> str:
    """Of which of open_clip's weights the CLIP of a branch is.

    Raises:
        ValueError: If neither the card nor the architecture tells it.
    """
    tags = open_clip.list_pretrained_tags_by_model(arch) if isinstance(arch, str) else []
    if card.pretrained is not None and card.pretrained in tags:
        return card.pretrained
    if card.pretrained is None and (OPENAI in tags or len(tags) == 1):
        return OPENAI if OPENAI in tags else str(tags[0])
    said = 'names no weights of' if card.pretrained is None else \
        f'says pretrained={card.pretrained!r}, which open_clip does not have for'
    raise ValueError(f'{source} is a branch without CLIP, and its model card {said} its CLIP '
                     f'({card.arch}): give a file of them, clip=...')


def count_layers(state: State, prefix: str) -> int:
    """How many layers' numbers follow a prefix in the names of weights."""
    found = re.compile(re.escape(prefix) + r'(\d{1,4})\.')
    numbers = {int(match[1]) for name in state if (match := found.match(name))}
    if not numbers:
        raise KeyError(f'{prefix}0')
    return len(numbers)


def has(state: State, prefix: str) -> bool:
    """Whether a weight's name begins so."""
    return any(name.startswith(prefix) for name in state)


def rows(state: State, name: str) -> int:
    """The first size of a weight; KeyError with its name where there is none."""
    shape = tuple(state[name].shape)
    if not shape:
        raise KeyError(f'rows of {name}')
    return int(shape[0])


def stan(card: ModelCard, state: State) -> dict[str, Any]:
    """Settings of STAN, and those that BT-Adapter shares with it."""
    return dict(num_layers=count_layers(state, f'{BRANCH}temporal.'),
                num_frames=rows(state, f'{BRANCH}time_embedding'))


def bt_adapter(card: ModelCard, state: State) -> dict[str, Any]:
    """Settings of BT-Adapter. Addition without interaction has the weights of that with it."""
    shared = stan(card, state)
    gate = 'weighted' if f'{BRANCH}output_gate.weight' in state else \
        'concat' if has(state, f'{BRANCH}output_gate.') else 'add'
    gates = has(state, f'{BRANCH}gates.') if gate != 'add' else card.interaction is not False
    return dict(
        shared, combination=gate, interaction=gates or shared['num_layers'] == 1,
        variant='released' if f'{BRANCH}cls_shift' in state else 'paper',
        temporal_proj=temporal_proj(state, BRANCH))


def temporal_proj(state: State, prefix: str) -> str:
    """Whether the temporal layers have a projection; how it started does not matter any more."""
    return 'zero' if f'{prefix}temporal.0.temporal_fc.weight' in state else 'none'


def separate_st(card: ModelCard, state: State) -> dict[str, Any]:
    """Settings of divided space-time attention inside CLIP."""
    return dict(num_layers=count_layers(state, 'backbone.temporal.'),
                num_frames=rows(state, 'backbone.time_embedding'),
                temporal_proj=temporal_proj(state, 'backbone.'))


BACKBONES: dict[str, Callable[[ModelCard, State], dict[str, Any]]] = {
    'FrameMean': lambda card, state: {},
    'STPooling': lambda card, state: {},
    'BTAdapter': bt_adapter,
    'STAN': stan,
    'STAdapter': lambda card, state: dict(
        adapter_width=rows(state, 'backbone.before_attention.0.down.weight')),
    'JointST': lambda card, state: dict(num_frames=rows(state, 'backbone.time_embedding')),
    'SeparateST': separate_st,
}
