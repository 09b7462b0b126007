"""The tables of names lead from every weight of a library's tower to one of ours, and back."""
import pytest
import torch

from mmbt.models.families.hugging_face import NAMES, options_of
from mmbt.models.families.names import HF_CLIP, OPEN_CLIP, TIMM, rename_old
from mmbt.models.families.open_clip import options_of as options_of_open_clip
from mmbt.models.families.open_clip import options_of_eva
from mmbt.models.vit import VisionTransformer

from ..support.tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, inner_transformer, library

ALL = ['clip', 'eva', *CLIPS_OF_HF, *EVAS_OF_HF]


def tower_of(kind):
    """A library's tower, its table, and what it is made of."""
    if kind == 'clip':
        visual = library(kind).visual
        return visual, OPEN_CLIP, options_of_open_clip(visual)
    if kind == 'eva':
        visual = library(kind).visual
        return visual.trunk, TIMM, options_of_eva(visual)
    inner = inner_transformer(kind())
    return inner, NAMES[type(inner).__name__], options_of(inner, None)


@pytest.mark.parametrize('kind', ALL, ids=lambda kind: getattr(kind, '__name__', kind))
def test_every_weight_of_the_library_has_one_place(kind):
    theirs, names, options = tower_of(kind)
    ours = VisionTransformer(options).state_dict()
    weights = names.weights(ours, theirs.state_dict())
    assert [weight.name for weight in weights] == list(ours)
    sources = [source for weight in weights for source in weight.sources]
    assert sorted(sources) == sorted(name for name, _ in theirs.named_parameters())


def test_the_form_that_a_file_holds_is_meant():
    """timm has had biases of queries and values apart, fused, and none of the keys."""
    name = 'blocks.7.attn.qkv.bias'
    for theirs in (('attn.q_bias', 'attn.v_bias'), ('attn.qkv.bias', ),
                   ('attn.q_proj.bias', 'attn.k_proj.bias', 'attn.v_proj.bias'),
                   ('attn.q_proj.bias', 'attn.v_proj.bias')):
        held = [f'trunk.blocks.7.{each}' for each in theirs]
        weight = TIMM.weight(name, held, before='trunk.')
        assert (weight.name, weight.sources) == (name, tuple(held))
        parts = [torch.full((2, ), 1. + i) for i in range(len(theirs))]
        made = weight.make(*parts)
        if len(theirs) == 2:
            assert made.tolist() == [1, 1, 0, 0, 2, 2]
        else:
            assert torch.equal(made, torch.cat(parts))
    assert OPEN_CLIP.weight('registers', ()) is None


def test_a_state_of_today_is_not_renamed():
    state = {'visual.conv1x': torch.ones(2), 'visual.blocks.0.norm1.weight': torch.ones(3)}
    before = dict(state)
    rename_old(state, 'visual.', ['blocks.0.norm1.weight'])
    assert state == before


def test_a_layer_that_lacks_a_part_keeps_its_old_names():
    """So that whoever loads it says what is unknown, in the file's own words."""
    old = {f'v.transformer.encoder.layers.0.self_attn.{part}_proj.weight': torch.ones(1, 1)
           for part in 'qk'}
    state = {'v.transformer.pre_layrnorm.weight': torch.ones(2), **old}
    rename_old(state, 'v.', ['pre_norm.weight', 'blocks.0.attn.qkv.weight'])
    assert state.keys() == {'v.pre_norm.weight', *old}
    assert HF_CLIP.weight('blocks.0.attn.qkv.weight', ()).sources[2].endswith('v_proj.weight')
