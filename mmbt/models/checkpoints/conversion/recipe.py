"""How each weight of ours is made from weights of a released file."""
import re
from typing import Callable, Dict, Iterable, Iterator, List, NamedTuple, Tuple

import torch
from torch import Tensor

from ...trunks.towers import fused_qkv

# The released code multiplies its gates by these before the sigmoid of CLIP's share. The paper's
# W_b is for the branch's share, hence the sign.
OUTPUT_SCALE, MIDDLE_SCALE = -1e4, -1e2


class Weight(NamedTuple):
    """One weight of ours.

    Attributes:
        name: Its name in our checkpoints.
        sources: Names of the weights in the released file that it is made from.
        make: The function that makes it from them.
    """

    name: str
    sources: Tuple[str, ...]
    make: Callable[..., Tensor]


def as_it_is(value: Tensor) -> Tensor:
    """The same tensor."""
    return value


def transposed(value: Tensor) -> Tensor:
    """(A, B) -> (B, A); HF's projections are Linear layers, open_clip's matrices."""
    return value.t().contiguous()


def vector(value: Tensor) -> Tensor:
    """(1, 1, D) or (D,) -> (D,)."""
    return value.reshape(-1)


def joined(*parts: Tensor) -> Tensor:
    """Query, key and value as one."""
    return torch.cat(parts)


def output_gate(balance: Tensor) -> Tensor:
    """W_b of the output, in float32: the factor would overflow half precision."""
    return OUTPUT_SCALE * balance.reshape(-1).float()


def middle_gate(balance: Tensor) -> Tensor:
    """W_b of a middle layer."""
    return MIDDLE_SCALE * balance.reshape(-1).float()


# Parts of a transformer layer, and how Hugging Face, timm, open_clip and the branch name them.
# Three names are query, key and value apart; a name ends where ``weight`` or ``bias`` follows.
Names = Dict[str, Tuple[str, ...]]
HF: Names = dict(
    norm1=('layer_norm1.', ),
    qkv=('self_attn.q_proj.', 'self_attn.k_proj.', 'self_attn.v_proj.'),
    proj=('self_attn.out_proj.', ),
    norm2=('layer_norm2.', ),
    fc1=('mlp.fc1.', ),
    fc2=('mlp.fc2.', ))
HF_TEMPORAL: Names = dict(
    norm1=HF['norm1'], qkv=HF['qkv'], proj=HF['proj'], fc=('temporal_fc.', ))
TIMM: Names = dict(
    norm1=('norm1.', ),
    qkv=('attn.qkv.', ),
    proj=('attn.proj.', ),
    norm2=('norm2.', ),
    fc1=('mlp.fc1.', ),
    fc2=('mlp.fc2.', ))
TIMM_TEMPORAL: Names = dict(
    norm1=TIMM['norm1'], qkv=TIMM['qkv'], proj=TIMM['proj'], fc=('temporal_fc.', ))
OPEN_CLIP: Names = dict(
    norm1=('ln_1.', ),
    qkv=('attn.in_proj_', ),
    proj=('attn.out_proj.', ),
    norm2=('ln_2.', ),
    fc1=('mlp.c_fc.', ),
    fc2=('mlp.c_proj.', ))
SPATIAL: Names = dict(
    norm1=('norm1.', ),
    qkv=('attn.qkv.', ),
    proj=('attn.proj.', ),
    norm2=('norm2.', ),
    fc1=('fc1.', ),
    fc2=('fc2.', ))
TEMPORAL: Names = dict(
    norm1=('norm.', ), qkv=('attn.qkv.', ), proj=('attn.proj.', ), fc=('temporal_fc.', ))


def layer(ours: str, our_names: Names, theirs: str, their_names: Names) -> Iterator[Weight]:
    """The weights of one transformer layer.

    Args:
        ours: What precedes our names.
        our_names: Our names of its parts.
        theirs: What precedes theirs.
        their_names: Their names of its parts.
    """
    for part, (name, ) in our_names.items():
        for kind in ('weight', 'bias'):
            sources = tuple(f'{theirs}{source}{kind}' for source in their_names[part])
            yield Weight(ours + name + kind, sources, joined if len(sources) > 1 else as_it_is)


def without_key_bias(weights: Iterable[Weight]) -> Iterator[Weight]:
    """EVA's layers as branch layers: ``q_bias`` and ``v_bias`` become one bias with zeros."""
    for weight in weights:
        if weight.name.endswith('attn.qkv.bias'):
            attn = weight.sources[0][:-len('qkv.bias')]
            yield Weight(weight.name, (f'{attn}q_bias', f'{attn}v_bias'), fused_qkv)
        else:
            yield weight


def linear(ours: str, theirs: str) -> List[Weight]:
    """A module with weight and bias, as it is."""
    return [Weight(f'{ours}.{kind}', (f'{theirs}.{kind}', ), as_it_is)
            for kind in ('weight', 'bias')]


def count_layers(names: Iterable[str], *prefixes: str) -> int:
    """Layers under any of the prefixes, from the highest number; at least one."""
    pattern = re.compile(f"(?:{'|'.join(map(re.escape, prefixes))})([0-9]{{1,6}})\\.")
    found = [match for match in map(pattern.match, names) if match]
    highest = max((int(match[1]) for match in found), default=0)
    return max(1, min(highest + 1, len(found)))
