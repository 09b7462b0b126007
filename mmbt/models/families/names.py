"""What each library calls the weights of a vision transformer: one table a library.

A table leads from a name of ours, as :class:`~mmbt.models.vit.VisionTransformer` has it, to the
names of the weights that one is made from. Trunks, the converter of the authors' files and old
checkpoints of this project all read these tables.
"""
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Weight(NamedTuple):
    """One weight of ours.

    Attributes:
        name: Its name here.
        sources: Names of the weights in a library's file that it is made from.
        make: The function that makes it from them.
    """

    name: str
    sources: tuple[str, ...]
    make: Callable[..., Tensor]


class Source(NamedTuple):
    """What a weight is made from, and how; a name that ends in a dot goes on as ours does."""

    names: tuple[str, ...]
    make: Callable[..., Tensor]


def as_it_is(value: Tensor) -> Tensor:
    """The same tensor."""
    return value


def transposed(value: Tensor) -> Tensor:
    """(A, B) -> (B, A); open_clip's projections are matrices, others' are layers."""
    return value.t().contiguous()


def vector(value: Tensor) -> Tensor:
    """(1, 1, D) or (D,) -> (D,)."""
    return value.reshape(-1)


def rows(value: Tensor) -> Tensor:
    """(1, N, D) -> (N, D)."""
    return value.reshape(value.shape[-2:])


def joined(*parts: Tensor) -> Tensor:
    """Query, key and value as one, or the two halves of a gated layer."""
    return torch.cat(parts)


def without_key(query: Tensor, value: Tensor) -> Tensor:
    """One bias of query, key and value; EVA's keys have none, which is zero."""
    return torch.cat([query, torch.zeros_like(query), value])


def same(name: str) -> Source:
    """A weight, or all of a module, under another name."""
    return Source((name, ), as_it_is)


def join(*names: str) -> Source:
    """Several that are one here."""
    return Source(names, joined)


Entries = Mapping[str, tuple[Source, ...]]


@dataclass(frozen=True)
class Names:
    """A library's table.

    Keys are names of ours, of a weight or, with a dot at the end, of a module. Where a library has
    had several forms, they follow each other, and the first that a file holds is meant.

    Attributes:
        whole: What stands before and behind the layers.
        layers: What precedes the number of a layer.
        layer: What is in a layer, by a :class:`~mmbt.models.layer.Block`'s names.
    """

    whole: Entries
    layers: str
    layer: Entries

    def weight(self, name: str, theirs: Collection[str], before: str = '') -> Weight | None:
        """Where a weight of ours comes from; None where the library knows none such.

        Args:
            name: Its name.
            theirs: All names in their file.
            before: What precedes the library's names in it.
        """
        found = re.fullmatch(r'blocks\.(\d+)\.(.+)', name)
        if not found:
            return find(self.whole, name, theirs, before)
        weight = find(self.layer, found[2], theirs, f'{before}{self.layers}{found[1]}.')
        return weight and weight._replace(name=name)

    def weights(self, ours: Iterable[str], theirs: Collection[str], before: str = '') -> \
            list[Weight]:
        """Where all of these weights come from; those that the library does not know are left out.

        Arguments as in :meth:`weight`.
        """
        found = (self.weight(name, theirs, before) for name in ours)
        return [weight for weight in found if weight is not None]

    def layer_weights(self, ours: Iterable[str], theirs: Collection[str], before: str) -> \
            list[Weight]:
        """Where weights of one layer come from; those that the library does not know are left out.

        Args:
            ours: Their names within the layer.
            theirs: All names in the library's file.
            before: What precedes the layer's names in it.
        """
        found = (find(self.layer, name, theirs, before) for name in ours)
        return [weight for weight in found if weight is not None]

    def translate(self, ours: Iterable[str], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """These weights of ours, of a library's state dict that holds what they are made from."""
        return {weight.name: weight.make(*(state[source] for source in weight.sources))
                for weight in self.weights(ours, state)}


def find(entries: Entries, name: str, theirs: Collection[str], before: str) -> Weight | None:
    """One weight in the form that a file holds, else in the first; None for an unknown one."""
    module, _, kind = name.rpartition('.')
    forms = [Weight(name, tuple(f'{before}{each}{rest}' for each in source.names), source.make)
             for key, rest in ((name, ''), (f'{module}.', kind))
             for source in entries.get(key, ())]
    held = [form for form in forms if all(source in theirs for source in form.sources)]
    return next(iter(held or forms), None)


OPEN_CLIP = Names(
    whole={
        'cls_token': (same('class_embedding'), ),
        'position_embedding': (same('positional_embedding'), ),
        'patch_embedding.weight': (same('conv1.weight'), ),
        'pre_norm.': (same('ln_pre.'), ),
        'norm.': (same('ln_post.'), ),
        'proj.weight': (Source(('proj', ), transposed), ),
    },
    layers='transformer.resblocks.',
    layer={
        'norm1.': (same('ln_1.'), ),
        'attn.qkv.': (same('attn.in_proj_'), ),
        'attn.proj.': (same('attn.out_proj.'), ),
        'scale1.weight': (same('ls_1.gamma'), ),
        'norm2.': (same('ln_2.'), ),
        'fc1.': (same('mlp.c_fc.'), ),
        'fc2.': (same('mlp.c_proj.'), ),
        'scale2.weight': (same('ls_2.gamma'), ),
    })

TIMM = Names(
    whole={
        'cls_token': (Source(('cls_token', ), vector), ),
        'registers': (Source(('reg_token', ), rows), ),
        'position_embedding': (Source(('pos_embed', ), rows), ),
        'patch_embedding.': (same('patch_embed.proj.'), ),
        'pre_norm.': (same('norm_pre.'), ),
        'norm.': (same('norm.'), same('fc_norm.')),
        'proj.': (same('head.'), ),
        'pool.query': (Source(('attn_pool.latent', ), vector), ),
        'pool.q.': (same('attn_pool.q.'), ),
        'pool.kv.': (same('attn_pool.kv.'), ),
        'pool.proj.': (same('attn_pool.proj.'), ),
        'pool.norm.': (same('attn_pool.norm.'), ),
        'pool.fc1.': (same('attn_pool.mlp.fc1.'), ),
        'pool.fc2.': (same('attn_pool.mlp.fc2.'), ),
    },
    layers='blocks.',
    layer={
        'norm1.': (same('norm1.'), ),
        'attn.qkv.weight': (
            same('attn.qkv.weight'),
            join('attn.q_proj.weight', 'attn.k_proj.weight', 'attn.v_proj.weight')),
        'attn.qkv.bias': (
            Source(('attn.q_bias', 'attn.v_bias'), without_key),
            same('attn.qkv.bias'),
            join('attn.q_proj.bias', 'attn.k_proj.bias', 'attn.v_proj.bias'),
            Source(('attn.q_proj.bias', 'attn.v_proj.bias'), without_key)),
        'attn.q_norm.': (same('attn.q_norm.'), ),
        'attn.k_norm.': (same('attn.k_norm.'), ),
        'attn.norm.': (same('attn.norm.'), ),
        'attn.proj.': (same('attn.proj.'), ),
        'scale1.weight': (same('gamma_1'), same('ls1.gamma')),
        'norm2.': (same('norm2.'), ),
        'fc1.': (same('mlp.fc1.'), join('mlp.fc1_g.', 'mlp.fc1_x.')),
        'mlp_norm.': (same('mlp.norm.'), ),
        'fc2.': (same('mlp.fc2.'), ),
        'scale2.weight': (same('gamma_2'), same('ls2.gamma')),
    })

HF_CLIP = Names(  # LLaVA's tower too
    whole={
        'cls_token': (same('embeddings.class_embedding'), ),
        'position_embedding': (same('embeddings.position_embedding.weight'), ),
        'patch_embedding.weight': (same('embeddings.patch_embedding.weight'), ),
        'pre_norm.': (same('pre_layrnorm.'), ),
        'norm.': (same('post_layernorm.'), ),
        'proj.weight': (same('visual_projection.weight'), ),
    },
    layers='encoder.layers.',
    layer={
        'norm1.': (same('layer_norm1.'), ),
        'attn.qkv.': (join('self_attn.q_proj.', 'self_attn.k_proj.', 'self_attn.v_proj.'), ),
        'attn.proj.': (same('self_attn.out_proj.'), ),
        'norm2.': (same('layer_norm2.'), ),
        'fc1.': (same('mlp.fc1.'), ),
        'fc2.': (same('mlp.fc2.'), ),
    })

HF_BLIP2 = Names(  # InstructBLIP's tower too
    whole={
        'cls_token': (Source(('embeddings.class_embedding', ), vector), ),
        'position_embedding': (Source(('embeddings.position_embedding', ), rows), ),
        'patch_embedding.': (same('embeddings.patch_embedding.'), ),
        'norm.': (same('post_layernorm.'), ),
    },
    layers='encoder.layers.',
    layer={
        **HF_CLIP.layer,
        'attn.qkv.': (same('self_attn.qkv.'), ),
        'attn.proj.': (same('self_attn.projection.'), ),
    })

# The authors' releases beside OpenAI's CLIP: Hugging Face's layers, and names of their own around
# them. Those beside EVA-CLIP are in timm's names.
RELEASED_CLIP = Names(
    whole={
        'cls_token': (same('class_embedding'), ),
        'position_embedding': (same('position_embedding.weight'), ),
        'patch_embedding.weight': (same('patch_embedding.weight'), ),
        'pre_norm.': (same('pre_layrnorm.'), ),
        'norm.': (same('post_layernorm.'), ),
        'proj.weight': (same('visual_projection.weight'), ),
    },
    layers='layers.',
    layer=HF_CLIP.layer)

# How checkpoints of before 0.2 named the vision tower: as its library, behind these beginnings. By
# a name that each has and no other.
OLD = {
    'conv1.weight': (OPEN_CLIP, ''),
    'trunk.patch_embed.proj.weight': (TIMM, 'trunk.'),
    'transformer.pre_layrnorm.weight': (HF_CLIP, 'transformer.'),
    'transformer.encoder.layers.0.self_attn.qkv.weight': (HF_BLIP2, 'transformer.'),
}


def rename_old(state: dict[str, Tensor], prefix: str, ours: Iterable[str]) -> None:
    """Give the weights of a vision tower, in a checkpoint of before 0.2, the names they have now.

    What cannot be made, since a part is missing or of no such shape, keeps its name; whoever loads
    it finds it unknown.

    Args:
        state: A state dict, changed in place.
        prefix: What precedes the vision tower's weights in it.
        ours: The names that they should have, without the prefix.
    """
    table, before = next((OLD[mark] for mark in OLD if prefix + mark in state), (None, ''))
    if table is None:
        return
    if f'{prefix}projection.weight' in state:  # beside transformers' models, not within
        state[f'{prefix}{before}visual_projection.weight'] = state.pop(f'{prefix}projection.weight')
    for weight in table.weights(ours, state, prefix + before):
        try:
            value = weight.make(*(state[source] for source in weight.sources))
        except (LookupError, RuntimeError):
            continue
        for source in weight.sources:
            del state[source]
        state[prefix + weight.name] = value
