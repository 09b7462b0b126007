"""Validate checkpoints: which of them a model takes."""
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.logging import print_log
from torch import Tensor, nn

from ..families.names import rename_old
from ..fingerprint import first_difference
from ..trunk import TRUNK
from .card_files import check_source

# Parts that a checkpoint may hold or lack freely: objectives are of no use after training.
OPTIONAL = ('heads.', )
# Parts of a dialogue model: a branch file of pretraining has none of them, a tuned one has all.
CONVERSATION = ('balance.', 'projector.')
FINGERPRINT = 'fingerprint.'

# Names that only one variant of the branch has.
VARIANT_NAMES = {'branch.cls_token': 'paper', 'branch.cls_shift': 'released'}


def must_exist(path: str | Path, what: str = 'checkpoint') -> None:
    """Refuse a file that is not there, before weights are fetched and models built for it.

    Addresses, such as ``https://...``, are left to what fetches them.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if '://' not in str(path) and not Path(path).is_file():
        raise FileNotFoundError(f'{what} {path} is missing')


def holds_trunk(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a loaded checkpoint holds CLIP's weights too, so that none need be fetched."""
    return any(key.startswith(TRUNK) for key in checkpoint.get('state_dict', checkpoint))


def without_weights(trunk: dict[str, Any]) -> dict[str, Any]:
    """A trunk's config that reads no weights, for a checkpoint that brings them.

    What ``pretrained`` tells beside them, such as the activation, is kept where the trunk can tell
    the two apart.
    """
    if not trunk.get('pretrained'):
        return trunk
    kind = trunk.get('type')
    kind = MODELS.get(kind) if isinstance(kind, str) else kind
    if kind is not None and 'read_weights' in inspect.signature(kind).parameters:
        return dict(trunk, read_weights=False)
    return dict(trunk, pretrained=None)


def check_state_dict(model: nn.Module, state_dict: dict[str, Tensor], prefix: str,
                     known: Mapping[str, Any] | None = None, *_: Any) -> None:
    """Refuse weights that are not this model's, before any is copied.

    MMEngine only logs keys that do not fit, and would evaluate random weights; what is computed
    otherwise with the same weights it does not see, which the model card tells. A checkpoint may
    lack the whole trunk (weights of the branch alone) if the model's CLIP is the one that they
    were trained beside; it may hold or lack objectives, lack what only dialogue models have, and
    hold layers beside those of CLIP that the model's trunk drops.

    Args:
        model: Whose weights they shall be.
        state_dict: The weights; what only tells of CLIP is taken out, and a vision tower of before
            0.2 gets the names that it has now.
        prefix: What stands before the model's own names.
        known: What :func:`mmbt.files.source.source_of` tells of the weights.

    Raises:
        ValueError: If a key is missing or unknown, a shape differs, CLIP does, or what the model
            card tells.
    """
    recorded = {
        key[len(prefix + FINGERPRINT):]: state_dict.pop(key) for key in list(state_dict)
        if key.startswith(prefix + FINGERPRINT)
    }
    given = {key for key in state_dict if key.startswith(prefix)}
    for key, value in [*recorded.items(), *((key, state_dict[key]) for key in sorted(given))]:
        if not isinstance(value, Tensor) and not key.endswith('_extra_state'):
            raise ValueError(f'the checkpoint holds a {type(value).__name__} as {key}, not a '
                             'weight')
    whole = any(key.startswith(prefix + TRUNK) for key in given)
    if whole:
        visual = TRUNK + 'visual.'
        rename_old(state_dict, prefix + visual, (
            key.removeprefix(visual) for key in model.state_dict() if key.startswith(visual)))
        given = {key for key in state_dict if key.startswith(prefix)}
    source = check_source(model, known or {}, same_clip=not whole and not recorded)
    check_names(model, state_dict, prefix, given, whole, source)
    if recorded and not whole:
        check_clip(model, recorded)
    elif not whole and any(key.startswith(f'{prefix}backbone.') for key in given):
        print_log('the branch file does not say which CLIP it was trained beside; not checked',
                  'current')


def check_names(model: nn.Module, state_dict: dict[str, Tensor], prefix: str, given: set,
                whole: bool, source: str) -> None:
    """Refuse weights of other names and shapes than the model's."""
    own = {prefix + key: value for key, value in model.state_dict().items()}
    idle = getattr(getattr(model, 'backbone', None), 'idle_weights', ())
    optional = tuple(prefix + part for part in OPTIONAL)
    spare = optional + tuple(f'{prefix}backbone.{part}' for part in idle)
    lacking = optional + (() if whole else (prefix + TRUNK, ))
    conversation = tuple(prefix + part for part in CONVERSATION)
    if not any(key.startswith(conversation) for key in given):
        lacking += conversation
    missing = sorted(k for k in own if k not in given and not k.startswith(lacking))
    unknown = sorted(k for k in given if k not in own and not k.startswith(spare))
    resized = [
        f'{k} is {tuple(state_dict[k].shape)} there, {tuple(own[k].shape)} here' for k in own
        if k in given and state_dict[k].shape != own[k].shape
    ]
    other = [f'{k} is of {state_dict[k].dtype} there, {own[k].dtype} here' for k in own
             if k in given and kind_of(state_dict[k]) != kind_of(own[k])]
    for title, keys in (('other shapes', resized), ('missing', missing), ('unknown', unknown),
                        ('other numbers', other)):
        if keys:
            more = f' and {len(keys) - 1} more' if len(keys) > 1 else ''
            raise ValueError(f'{source} is of another architecture than the config '
                             f'({title}: {keys[0]}{more}){variant_hint(unknown)}')


def kind_of(value: Any) -> Any:
    """Whether numbers are floating-point or complex; what is copied into the other is not it."""
    return isinstance(value, Tensor) and (value.is_floating_point(), value.is_complex())


def variant_hint(unknown: list[str]) -> str:
    """What to set where the weights are of the branch's other variant."""
    for name, variant in VARIANT_NAMES.items():
        if any(key.endswith(name) for key in unknown):
            return f"; its branch is of variant {variant!r}: set model.backbone.variant to it"
    return ''


def check_clip(model: nn.Module, recorded: Mapping[str, Tensor]) -> None:
    """Refuse a branch that was trained beside another CLIP than the model's."""
    difference = first_difference(model.backbone.trunk.canonical_state(), recorded)
    if difference is not None:
        raise ValueError('the branch was trained beside another CLIP than the one at hand: they '
                         f'differ in {difference}; take the CLIP of its training (model.trunk)')


def settle_keys(model: nn.Module, keys: Any) -> None:
    """Forget what is missing or unexpected: :func:`check_state_dict` has allowed it.

    Else MMEngine would list CLIP's every weight as missing where a branch file is loaded.
    """
    keys.missing_keys.clear()
    keys.unexpected_keys.clear()
