"""The forms of the authors' released weights, as recipes.

Names of the files are the current ones; older names are led to them in ``released.py``.
"""
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from ...families.names import (
    HF_CLIP,
    OPEN_CLIP,
    RELEASED_CLIP,
    TIMM,
    Weight,
    as_it_is,
    transposed,
    vector,
)
from .recipe import (
    count_layers,
    layer,
    linear,
    middle_gate,
    output_gate,
    temporal,
    text_layer,
    tower,
)

VISUAL, TEXT = 'backbone.trunk.visual.', 'backbone.trunk.text.transformer.'
BRANCH, MBTA = 'backbone.branch.', 'heads.1.proj.'
TIME = BRANCH + 'time_embedding'

# Of a vision tower, what stands before and behind its layers.
STEM = ('cls_token', 'position_embedding', 'patch_embedding.weight', 'norm.weight', 'norm.bias',
        'proj.weight')
CLIP_STEM = (*STEM, 'pre_norm.weight', 'pre_norm.bias')
EVA_STEM = (*STEM, 'patch_embedding.bias', 'proj.bias')


class Form(NamedTuple):
    """A form of the released weights.

    Attributes:
        key: Its name in code.
        title: Its name for people.
        marks: Beginnings of names by which a file is told to be of it.
        recipe: Our weights, by the names in a file of it.
        frames: Rows of the time embedding that its training reached.
    """

    key: str
    title: str
    marks: tuple
    recipe: Callable[[Collection[str]], list[Weight]]
    frames: int


def clip_recipe(names: Collection[str]) -> list[Weight]:
    """Pretraining beside OpenAI's CLIP, in Hugging Face's names."""
    text = 'text_backbone.text_model.'
    weights = [
        *tower(VISUAL, CLIP_STEM, RELEASED_CLIP, 'backbone.', names),
        Weight(f'{TEXT}token_embedding.weight', (f'{text}embeddings.token_embedding.weight', ),
               as_it_is),
        Weight(f'{TEXT}positional_embedding', (f'{text}embeddings.position_embedding.weight', ),
               as_it_is),
        *linear(f'{TEXT}ln_final', f'{text}final_layer_norm'),
        Weight(f'{TEXT}text_projection', ('text_backbone.text_projection.weight', ), transposed),
    ]
    for i in range(count_layers(names, f'{text}encoder.layers.')):
        weights += text_layer(f'{TEXT}transformer.resblocks.{i}.', HF_CLIP,
                              f'{text}encoder.layers.{i}.', names)
    weights += clip_branch(names, 'backbone.')
    weights += gates(names)
    if any(name.startswith('extra_proj.') for name in names):
        weights += linear(f'{MBTA}0', 'extra_proj.0') + linear(f'{MBTA}1', 'extra_proj.1')
    return weights


def clip_branch(names: Collection[str], prefix: str) -> Iterator[Weight]:
    """The branch beside OpenAI's CLIP, without its gates."""
    theirs = f'{prefix}btadapter_'
    yield Weight(f'{BRANCH}cls_shift', (f'{theirs}cls_token', ), vector)
    yield Weight(TIME, (f'{theirs}time_embed.weight', ), as_it_is)
    for i in range(branch_layers(names, prefix)):
        yield from temporal(f'{BRANCH}temporal.{i}.', HF_CLIP, f'{theirs}T_layers.{i}.', names)
        yield from layer(f'{BRANCH}spatial.{i}.', HF_CLIP, f'{theirs}S_layers.{i}.', names)


def branch_layers(names: Collection[str], prefix: str) -> int:
    """Layers of a branch beside OpenAI's CLIP."""
    return count_layers(names, f'{prefix}btadapter_S_layers.', f'{prefix}btadapter_T_layers.')


def gates(names: Collection[str]) -> Iterator[Weight]:
    """The gates, where a file has them: one vector for all middle layers, or one for each."""
    last = branch_layers(names, 'backbone.') - 1
    if {'backbone.balance1', 'backbone.balance2'} & set(names):
        output, middle = 'backbone.balance1', ['backbone.balance2'] * last
    elif any(name.startswith('backbone.balance.') for name in names):
        output = f'backbone.balance.{last}.param'
        middle = [f'backbone.balance.{i}.param' for i in range(last)]
    else:
        return
    for i, source in enumerate(middle):
        yield Weight(f'{BRANCH}gates.{i}.weight', (source, ), middle_gate)
    yield Weight(f'{BRANCH}output_gate.weight', (output, ), output_gate)


def eva_recipe(names: Collection[str]) -> list[Weight]:
    """Pretraining beside EVA-CLIP-g: vision in timm's names, text in open_clip's."""
    text, branch = 'text_backbone.', 'backbone.btadapter_'
    weights = tower(VISUAL, EVA_STEM, TIMM, 'backbone.', names)
    weights += [Weight(TEXT + name, (text + name, ), as_it_is)
                for name in ('token_embedding.weight', 'positional_embedding', 'text_projection')]
    weights += linear(f'{TEXT}ln_final', f'{text}ln_final')
    for i in range(count_layers(names, f'{text}transformer.resblocks.')):
        block = f'transformer.resblocks.{i}.'
        weights += text_layer(TEXT + block, OPEN_CLIP, text + block, names)
    weights += [Weight(f'{BRANCH}cls_shift', (f'{branch}cls', ), vector),
                Weight(TIME, (f'{branch}position.weight', ), as_it_is)]
    for i in range(count_layers(names, f'{branch}S.', f'{branch}T.')):
        weights += temporal(f'{BRANCH}temporal.{i}.', TIMM, f'{branch}T.{i}.', names)
        weights += layer(f'{BRANCH}spatial.{i}.', TIMM, f'{branch}S.{i}.', names)
    return weights


def branch_recipe(names: Collection[str]) -> list[Weight]:
    """The branch of a conversation model alone; its gates are made in ``convert.py``."""
    return list(clip_branch(names, 'model.vision_tower.'))


def projector_recipe(names: Collection[str]) -> list[Weight]:
    """The projection of a conversation model, and the embedding of its tokens."""
    weights = linear('projector', 'model.mm_projector')
    if 'model.embed_tokens.weight' in names:
        weights.append(
            Weight('embed_tokens.weight', ('model.embed_tokens.weight', ), as_it_is))
    return weights


FORMS: dict[str, Form] = {form.key: form for form in (
    Form('clip', "pretraining beside OpenAI's CLIP", ('backbone.layers.', ), clip_recipe, 8),
    Form('eva', 'pretraining beside EVA-CLIP', ('backbone.blocks.', ), eva_recipe, 8),
    Form('branch', 'the branch of a conversation model, tuned on 50 groups of frames',
         ('model.vision_tower.', ), branch_recipe, 50),
    Form('projector', 'the projector of a conversation model',
         ('model.mm_projector.', 'model.embed_tokens.'), projector_recipe, 0))}
