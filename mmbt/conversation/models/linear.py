"""A linear layer, as dialogue models are published: one layer of a file."""
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmbt.files.safe_load import read_checkpoint


def load_tensors(path: str) -> dict[str, Any]:
    """The weights of a file, or of ``model`` in it; none if it holds something else.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or holds code.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'projector {path} is missing')
    state = read_checkpoint(path)
    state = state.get('model', state) if isinstance(state, dict) else state
    return state if isinstance(state, dict) else {}


def linear_of(state: dict[str, Tensor], name: str, width: int, hidden: int,
              source: str) -> nn.Linear:
    """The layer ``name`` among some weights.

    Args:
        state: The weights.
        name: Of the layer, without ``.weight``.
        width: Channels that go in.
        hidden: Channels that come out.
        source: Where the weights are from, for errors.

    Raises:
        ValueError: If it is not there, or of other sizes.
    """
    weight, bias = (state.get(f'{name}.{part}') for part in ('weight', 'bias'))
    sizes = [tuple(each.shape) if isinstance(each, Tensor) else None for each in (weight, bias)]
    if sizes != [(hidden, width), (hidden, )]:
        found = ' and '.join(str(size or 'none') for size in sizes)
        raise ValueError(f'{source}: {name} must be a linear layer of ({hidden}, {width}) with a '
                         f'bias, found {found}; does it belong to this language model?')
    layer = nn.Linear(width, hidden)
    layer.load_state_dict(dict(weight=weight, bias=bias))
    return layer
