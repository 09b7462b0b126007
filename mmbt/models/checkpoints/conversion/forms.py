"""The forms of the authors' released weights, as recipes.

Names of the files are the current ones; older names are led to them in ``released.py``.
"""
from typing import Callable, Collection, Dict, Iterator, List, NamedTuple

from .recipe import (
    HF,
    HF_TEMPORAL,
    OPEN_CLIP,
    SPATIAL,
    TEMPORAL,
    TIMM,
    TIMM_TEMPORAL,
    Weight,
    as_it_is,
    count_layers,
    layer,
    linear,
    middle_gate,
    output_gate,
    transposed,
    vector,
    without_key_bias,
)

VISUAL, TEXT = 'backbone.trunk.visual.', 'backbone.trunk.text.transformer.'
BRANCH, MBTA = 'backbone.branch.', 'heads.1.proj.'
TIME = BRANCH + 'time_embedding'


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
    recipe: Callable[[Collection[str]], List[Weight]]
    frames: int


def clip_recipe(names: Collection[str]) -> List[Weight]:
    """Pretraining beside OpenAI's CLIP, in Hugging Face's names."""
    text = 'text_backbone.text_model.'
    weights = [
        Weight(f'{VISUAL}class_embedding', ('backbone.class_embedding', ), as_it_is),
        Weight(f'{VISUAL}positional_embedding', ('backbone.position_embedding.weight', ), as_it_is),
        Weight(f'{VISUAL}conv1.weight', ('backbone.patch_embedding.weight', ), as_it_is),
        *linear(f'{VISUAL}ln_pre', 'backbone.pre_layrnorm'),
        *linear(f'{VISUAL}ln_post', 'backbone.post_layernorm'),
        Weight(f'{VISUAL}proj', ('backbone.visual_projection.weight', ), transposed),
        Weight(f'{TEXT}token_embedding.weight', (f'{text}embeddings.token_embedding.weight', ),
               as_it_is),
        Weight(f'{TEXT}positional_embedding', (f'{text}embeddings.position_embedding.weight', ),
               as_it_is),
        *linear(f'{TEXT}ln_final', f'{text}final_layer_norm'),
        Weight(f'{TEXT}text_projection', ('text_backbone.text_projection.weight', ), transposed),
    ]
    for theirs, ours in (('backbone.layers.', VISUAL), (f'{text}encoder.layers.', TEXT)):
        for i in range(count_layers(names, theirs)):
            target = f'{ours}transformer.resblocks.{i}.'
            weights += layer(target, OPEN_CLIP, f'{theirs}{i}.', HF)
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
        yield from layer(f'{BRANCH}temporal.{i}.', TEMPORAL, f'{theirs}T_layers.{i}.', HF_TEMPORAL)
        yield from layer(f'{BRANCH}spatial.{i}.', SPATIAL, f'{theirs}S_layers.{i}.', HF)


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


def eva_recipe(names: Collection[str]) -> List[Weight]:
    """Pretraining beside EVA-CLIP-g: vision in timm's names, text in open_clip's."""
    vision, text, branch = 'backbone.', 'text_backbone.', 'backbone.btadapter_'
    timm = f'{VISUAL}trunk.'
    weights = [Weight(timm + name, (vision + name, ), as_it_is)
               for name in ('cls_token', 'pos_embed')]
    for name in ('patch_embed.proj', 'norm', 'head'):
        weights += linear(timm + name, vision + name)
    for i in range(count_layers(names, f'{vision}blocks.')):
        weights += trunk_block(f'{timm}blocks.{i}.', f'{vision}blocks.{i}.')
    weights += [Weight(TEXT + name, (text + name, ), as_it_is)
                for name in ('token_embedding.weight', 'positional_embedding', 'text_projection')]
    weights += linear(f'{TEXT}ln_final', f'{text}ln_final')
    for i in range(count_layers(names, f'{text}transformer.resblocks.')):
        block = f'transformer.resblocks.{i}.'
        weights += layer(TEXT + block, OPEN_CLIP, text + block, OPEN_CLIP)
    weights += [Weight(f'{BRANCH}cls_shift', (f'{branch}cls', ), vector),
                Weight(TIME, (f'{branch}position.weight', ), as_it_is)]
    for i in range(count_layers(names, f'{branch}S.', f'{branch}T.')):
        for ours, our_names, theirs, their_names in (
                ('temporal', TEMPORAL, 'T', TIMM_TEMPORAL), ('spatial', SPATIAL, 'S', TIMM)):
            weights += without_key_bias(layer(f'{BRANCH}{ours}.{i}.', our_names,
                                              f'{branch}{theirs}.{i}.', their_names))
    return weights


def trunk_block(ours: str, theirs: str) -> Iterator[Weight]:
    """A layer of EVA's trunk as it is: timm keeps the biases of query and value apart."""
    for weight in layer(ours, TIMM, theirs, TIMM):
        if weight.name.endswith('attn.qkv.bias'):
            for name in ('q_bias', 'v_bias'):
                yield Weight(f'{ours}attn.{name}', (f'{theirs}attn.{name}', ), as_it_is)
        else:
            yield weight


def branch_recipe(names: Collection[str]) -> List[Weight]:
    """The branch of a conversation model alone; its gates are made in ``convert.py``."""
    return list(clip_branch(names, 'model.vision_tower.'))


def projector_recipe(names: Collection[str]) -> List[Weight]:
    """The projection of a conversation model, and the embedding of its tokens."""
    weights = linear('projector', 'model.mm_projector')
    if 'model.embed_tokens.weight' in names:
        weights.append(
            Weight('embed_tokens.weight', ('model.embed_tokens.weight', ), as_it_is))
    return weights


FORMS: Dict[str, Form] = {form.key: form for form in (
    Form('clip', "pretraining beside OpenAI's CLIP", ('backbone.layers.', ), clip_recipe, 8),
    Form('eva', 'pretraining beside EVA-CLIP', ('backbone.blocks.', ), eva_recipe, 8),
    Form('branch', 'the branch of a conversation model, tuned on 50 groups of frames',
         ('model.vision_tower.', ), branch_recipe, 50),
    Form('projector', 'the projector of a conversation model',
         ('model.mm_projector.', 'model.embed_tokens.'), projector_recipe, 0))}
