"""How the weights of a released file become ours, by the tables of names that trunks read too."""
import re
from collections.abc import Collection, Iterable, Iterator

from torch import Tensor

from ...families.names import OPEN_CLIP, Names, Weight, as_it_is

# The released code multiplies its gates by these before the sigmoid of CLIP's share. The paper's
# W_b is for the branch's share, hence the sign.
OUTPUT_SCALE, MIDDLE_SCALE = -1e4, -1e2

LAYER = tuple(f'{part}.{kind}' for part in ('norm1', 'attn.qkv', 'attn.proj', 'norm2', 'fc1', 'fc2')
              for kind in ('weight', 'bias'))
"""The weights of a transformer layer, by a :class:`~mmbt.models.layer.Block`'s names."""


def output_gate(balance: Tensor) -> Tensor:
    """W_b of the output, in float32: the factor would overflow half precision."""
    return OUTPUT_SCALE * balance.reshape(-1).float()


def middle_gate(balance: Tensor) -> Tensor:
    """W_b of a middle layer."""
    return MIDDLE_SCALE * balance.reshape(-1).float()


def tower(ours: str, stem: Iterable[str], table: Names, theirs: str, names: Collection[str]) -> \
        list[Weight]:
    """The weights of a vision transformer.

    Args:
        ours: What precedes our names.
        stem: Our names of what stands before and behind its layers.
        table: How the library calls them.
        theirs: What precedes their names.
        names: All names in the file.
    """
    layers = count_layers(names, theirs + table.layers)
    wanted = [*stem, *(f'blocks.{i}.{name}' for i in range(layers) for name in LAYER)]
    return [weight._replace(name=ours + weight.name)
            for weight in table.weights(wanted, names, theirs)]


def layer(ours: str, table: Names, theirs: str, names: Collection[str]) -> Iterator[Weight]:
    """The weights of one layer, such as a spatial one of the branch.

    Arguments as in :func:`tower`.
    """
    for weight in table.layer_weights(LAYER, names, theirs):
        yield weight._replace(name=ours + weight.name)


def temporal(ours: str, table: Names, theirs: str, names: Collection[str]) -> Iterator[Weight]:
    """The weights of a temporal layer of the branch: attention, and W_t.

    Arguments as in :func:`tower`.
    """
    for weight in layer(ours, table, theirs, names):
        inner = weight.name.removeprefix(ours)
        if inner.startswith(('norm1.', 'attn.')):
            yield weight._replace(name=ours + inner.replace('norm1.', 'norm.'))
    yield from linear(f'{ours}temporal_fc', f'{theirs}temporal_fc')


def text_layer(ours: str, table: Names, theirs: str, names: Collection[str]) -> Iterator[Weight]:
    """The weights of a layer of the text tower, which is open_clip's.

    Arguments as in :func:`tower`.
    """
    targets = OPEN_CLIP.layer_weights(LAYER, (), ours)
    for weight, target in zip(layer('', table, theirs, names), targets, strict=True):
        yield weight._replace(name=target.sources[0])


def linear(ours: str, theirs: str) -> list[Weight]:
    """A module with weight and bias, as it is."""
    return [Weight(f'{ours}.{kind}', (f'{theirs}.{kind}', ), as_it_is)
            for kind in ('weight', 'bias')]


def count_layers(names: Iterable[str], *prefixes: str) -> int:
    """Layers under any of the prefixes, from the highest number; at least one."""
    pattern = re.compile(f"(?:{'|'.join(map(re.escape, prefixes))})([0-9]{{1,6}})\\.")
    found = [match for match in map(pattern.match, names) if match]
    highest = max((int(match[1]) for match in found), default=0)
    return max(1, min(highest + 1, len(found)))
