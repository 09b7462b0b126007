"""What a released file is, and whether it is whole."""
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from ...families.names import Weight
from .forms import FORMS, Form
from .reading import read_weights
from .recipe import count_layers

# Older files name the branch so.
OLD_BRANCH, BRANCH = '.timesFPN_', '.btadapter_'

SCALARS = ('logit_scale', 'logit_bias', 'temperature')


@dataclass
class Released:
    """A released file.

    Attributes:
        form: What it is.
        weights: Its weights by their current names.
        names: The name in the file of each of these.
        dropped: Why a name in the file is of no use, by name.
        beside: What lies beside the weights in the file.
        recipe: How ours are made of them.
    """

    form: Form
    weights: dict[str, Tensor]
    names: dict[str, str]
    dropped: dict[str, str]
    beside: list[str]
    recipe: list[Weight] = field(default_factory=list)

    def recipe_sources(self) -> dict[str, str]:
        """What each weight of ours is made from, by its name."""
        return {weight.name: self.named_in_file(weight) for weight in self.recipe}

    def named_in_file(self, weight: Weight) -> str:
        """The names in the file that a weight of ours is made from."""
        return ', '.join(self.names.get(name, name) for name in weight.sources)

    def layers(self, prefix: str) -> int:
        """Number of layers whose names begin so."""
        return count_layers(self.weights, prefix)

    def shape(self, name: str, axes: int) -> tuple[int, ...]:
        """The shape of a weight.

        Raises:
            ValueError: If it has not so many axes.
        """
        shape = tuple(self.weights[name].shape)
        if len(shape) != axes:
            raise ValueError(f'{self.names[name]} has {axes} axes in the released code and is '
                             f'{shape} in the file')
        return shape

    def make(self) -> dict[str, Tensor]:
        """Our weights.

        Raises:
            ValueError: If the shapes of what makes one do not fit each other.
        """
        state = {}
        for weight in self.recipe:
            parts = [self.weights[name] for name in weight.sources]
            try:
                state[weight.name] = weight.make(*parts)
            except (RuntimeError, IndexError) as error:
                shapes = ', '.join(str(tuple(part.shape)) for part in parts)
                raise ValueError(f'{self.named_in_file(weight)}: cannot be brought together from '
                                 f'shapes {shapes}') from error
        return state

    def check_numbers(self) -> None:
        """Refuse weights that are no floating-point numbers.

        Raises:
            ValueError: Naming the first.
        """
        for name, value in self.weights.items():
            if not value.is_floating_point():
                raise ValueError(f'{self.names[name]} is of {value.dtype}, not of floating point: '
                                 'is it quantised?')


def read_released(path: str | Path) -> Released:
    """Read a released file and check that it is whole.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint or of no known form, holds code, or a weight is missing
            or unknown, or holds other than floating-point numbers.
    """
    released = recognise(*read_weights(path), path)
    released.check_numbers()
    return released


def recognise(weights: dict[str, Tensor], beside: list[str], path: str | Path) -> Released:
    """Tell what weights are, and check that they are whole.

    Args:
        weights: The weights of a file, by the names in it.
        beside: What lies beside them in the file.
        path: The file, for messages.

    Raises:
        ValueError: If they are of no known form, or one is missing or unknown.
    """
    released = Released(form_of(weights, path), {}, {}, {}, beside)
    for name, value in weights.items():
        reason = idle(name, value)
        if reason is not None:
            released.dropped[name] = reason
            continue
        current = name.replace(OLD_BRANCH, BRANCH, 1)
        if current in released.weights:
            raise ValueError(f'{path} holds both {released.names[current]} and {name}, which are '
                             'names of the same weight')
        released.weights[current] = value
        released.names[current] = name
    released.recipe = released.form.recipe(released.weights)
    check_names(released, path)
    return released


def form_of(weights: dict[str, Tensor], path: str | Path) -> Form:
    """Which form a file is of.

    Raises:
        ValueError: If it is of none.
    """
    for form in FORMS.values():
        if any(name.startswith(form.marks) for name in weights):
            return form
    if any(name.startswith(('backbone.branch.', 'backbone.trunk.')) for name in weights):
        raise ValueError(f"{path} is a checkpoint of this project already (it holds "
                         f"{next(iter(weights))})")
    raise ValueError(f"{path} holds none of the authors' released weights; its first name is "
                     f'{next(iter(weights))}')


def idle(name: str, value: Tensor) -> str | None:
    """Why a weight is of no use, None where it is of use."""
    last = name.rsplit('.', 1)[-1]
    if last == 'position_ids' and not value.is_floating_point():
        return 'numbers that count positions, not learned'
    if last == 'attn_mask':
        return 'the causal mask of the text tower, not learned'
    if last in SCALARS and value.numel() == 1:
        return 'a scale of a training objective; the temperature is in the config'
    return None


def check_names(released: Released, path: str | Path) -> None:
    """Refuse a file that lacks a weight, or holds one that has no place in ours.

    Raises:
        ValueError: Naming the first.
    """
    wanted = {name: weight for weight in released.recipe for name in weight.sources}
    missing = [name for name in wanted if name not in released.weights]
    unknown = [released.names[name] for name in released.weights if name not in wanted]
    for title, names in (('lacks', missing), ('holds an unknown weight,', unknown)):
        if names:
            more = f' and {len(names) - 1} more' if len(names) > 1 else ''
            raise ValueError(f'{path}: taken for {released.form.title}, but it {title} '
                             f'{names[0]}{more}')
