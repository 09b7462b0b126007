"""Which checkpoints a model takes."""
from typing import Any, Dict, Mapping

from torch import Tensor, nn

# Parts that a checkpoint may hold or lack freely: objectives are of no use after training.
OPTIONAL = ('heads.', )
TRUNK = 'backbone.trunk.'


def holds_trunk(checkpoint: Mapping[str, Any]) -> bool:
    """Whether a loaded checkpoint holds CLIP's weights too, so that none need be fetched."""
    return any(key.startswith(TRUNK) for key in checkpoint.get('state_dict', checkpoint))


def check_state_dict(model: nn.Module, state_dict: Dict[str, Tensor], prefix: str,
                     *_: Any) -> None:
    """Refuse weights that are not this model's, before any is copied.

    MMEngine only logs keys that do not fit, and would evaluate random weights. A checkpoint may
    lack the whole trunk (weights of the branch alone), and may hold or lack objectives.

    Raises:
        ValueError: If a key is missing or unknown, or a shape differs.
    """
    own = {prefix + key: value for key, value in model.state_dict().items()}
    given = {key for key in state_dict if key.startswith(prefix)}
    optional = tuple(prefix + part for part in OPTIONAL)
    if not any(key.startswith(prefix + TRUNK) for key in given):
        optional += (prefix + TRUNK, )
    missing = [k for k in own if k not in given and not k.startswith(optional)]
    unknown = [k for k in given if k not in own and not k.startswith(optional)]
    resized = [
        f'{k} is {tuple(state_dict[k].shape)} there, {tuple(own[k].shape)} here' for k in own
        if k in given and state_dict[k].shape != own[k].shape
    ]
    for title, keys in (('other shapes', resized), ('missing', missing), ('unknown', unknown)):
        if keys:
            more = f' and {len(keys) - 1} more' if len(keys) > 1 else ''
            raise ValueError('the checkpoint is of another architecture than the config '
                             f'({title}: {sorted(keys)[0]}{more})')
