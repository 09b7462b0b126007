"""What a file says of its weights, kept with them until a model takes them."""
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

FILE, CARD = 'file', 'model_card'


def with_source(checkpoint: Any, filename: str) -> Any:
    """Note with the weights of a checkpoint which file they are from, and the card it brings.

    The place is PyTorch's own for what modules tell of their weights, ``_metadata`` of a state
    dict, since it is handed on to the model that takes them (:func:`source_of`).

    Args:
        checkpoint: What was read from a file, changed in place where it can be.
        filename: The file.

    Returns:
        The checkpoint; weights in a plain dict become an ordered one.
    """
    if not isinstance(checkpoint, dict):
        return checkpoint
    meta, state = checkpoint.get('meta'), checkpoint.get('state_dict', checkpoint)
    if not isinstance(state, dict):
        return checkpoint
    if not isinstance(state, OrderedDict):
        whole, state = state is checkpoint, OrderedDict(state)
        if whole:
            checkpoint = state
        else:
            checkpoint['state_dict'] = state
    known = getattr(state, '_metadata', None)
    known = known if isinstance(known, dict) else {}
    own = known.get('')
    known[''] = {**(own if isinstance(own, dict) else {}), FILE: str(filename),
                 CARD: meta.get(CARD) if isinstance(meta, dict) else None}
    state._metadata = known  # type: ignore[attr-defined]
    return checkpoint


def source_of(state: Any) -> dict[str, Any]:
    """What :func:`with_source` noted of a state dict; an empty dict where nothing is known."""
    known: Mapping[str, Any] = getattr(state, '_metadata', None) or {}
    return dict(known.get('', {}))
