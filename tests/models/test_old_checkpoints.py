"""Checkpoints of before the one vision transformer load, whose towers have their libraries' names.

``checkpoints_0.1.pth`` was written by the last code that named them so. It holds, for each kind of
trunk, a whole model's checkpoint in half precision, two frames, and what that code encoded of them;
for two of them a branch file too.
"""
from functools import lru_cache
from pathlib import Path

import pytest
import torch
import transformers
from mmaction.registry import MODELS
from mmengine.runner import load_checkpoint
from timm.models import register_model
from timm.models.eva import _create_eva

from mmbt.apis import load_branch

DATA = Path(__file__).parents[1] / 'data'

BACKBONE = dict(type='BTAdapter', num_layers=1, num_frames=2)
TEXT = dict(context_length=3, vocab_size=9, width=4, heads=1, layers=1, mlp_ratio=1.)
VISION = dict(image_size=16, patch_size=8, width=8, layers=2, head_width=4, mlp_ratio=2.)
HF = dict(hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
          image_size=16, patch_size=8)


@register_model
def eva_old_test(pretrained=False, **kwargs):
    sizes = dict(img_size=16, patch_size=8, embed_dim=8, depth=2, num_heads=2, mlp_ratio=2.)
    return _create_eva('eva_old_test', pretrained=False, **dict(sizes, **kwargs))


ARCHS = dict(
    open_clip=dict(embed_dim=6, quick_gelu=True, vision_cfg=VISION, text_cfg=TEXT),
    timm=dict(embed_dim=6, text_cfg=TEXT, vision_cfg=dict(
        image_size=16, timm_model_name='eva_old_test', timm_pool='token', timm_proj=None)))


def hf_clip():
    return transformers.CLIPVisionModelWithProjection(transformers.CLIPVisionConfig(
        hidden_act='quick_gelu', projection_dim=6, **HF))


def hf_blip2():
    return transformers.Blip2VisionModel(transformers.Blip2VisionConfig(
        hidden_act='gelu', layer_norm_eps=1e-6, **HF))


KINDS = ('open_clip', 'timm', 'hf_clip', 'hf_blip2')
every_kind = pytest.mark.parametrize('kind', KINDS)


@lru_cache
def old():
    return torch.load(DATA / 'checkpoints_0.1.pth', weights_only=True)


def model_of(kind, **trunk):
    """Of today, with other weights."""
    if kind in ARCHS:
        trunk = dict(type='OpenCLIPTrunk', arch=ARCHS[kind], **trunk)
    else:
        build = dict(hf_clip=hf_clip, hf_blip2=hf_blip2)[kind]
        trunk = dict(type='HuggingFaceTrunk', model=build())
    return MODELS.build(dict(type='VideoTextModel', trunk=trunk, backbone=BACKBONE)).eval()


def assert_encodes_as_it_did(model, kind):
    with torch.no_grad():
        encoding = model.encode(old()['imgs'])
    for name in ('clip_tokens', 'branch_tokens', 'video'):
        expected = old()[kind][name]
        if expected is None:
            assert getattr(encoding, name) is None
        else:
            torch.testing.assert_close(getattr(encoding, name), expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def path(kind, tmp_path):
    torch.save(old()[kind]['checkpoint'], tmp_path / 'old.pth')
    return str(tmp_path / 'old.pth')


@every_kind
def test_a_whole_model(kind, path):
    names = old()[kind]['checkpoint']['state_dict'].keys()
    model = model_of(kind)
    load_checkpoint(model, path)
    assert_encodes_as_it_did(model, kind)
    now = {name for name in model.state_dict() if name.startswith('backbone.trunk.visual.')}
    assert now and not now & set(names)
    again = model_of(kind)
    again.load_state_dict(model.state_dict())
    assert_encodes_as_it_did(again, kind)


@every_kind
def test_its_trunk_alone(kind):
    state = old()[kind]['checkpoint']['state_dict']
    trunk = {name.removeprefix('backbone.trunk.'): value for name, value in state.items()
             if name.startswith('backbone.trunk.')}
    model = model_of(kind)
    model.trunk.load_state_dict(trunk)
    with torch.no_grad():
        found = model.encode(old()['imgs']).clip_tokens
    torch.testing.assert_close(found, old()[kind]['clip_tokens'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', ['open_clip', 'timm'])
def test_as_pretrained_weights_of_a_trunk(kind, path):
    model = model_of(kind, pretrained=path)
    with torch.no_grad():
        found = model.encode(old()['imgs']).clip_tokens
    torch.testing.assert_close(found, old()[kind]['clip_tokens'], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('kind', ['timm', 'hf_clip'])
def test_a_branch_file_is_of_the_same_clip_and_of_no_other(kind, path, tmp_path):
    torch.save(old()[kind]['branch'], tmp_path / 'branch.pth')
    model = model_of(kind)
    with pytest.raises(ValueError, match='another CLIP'):
        load_branch(model, tmp_path / 'branch.pth')
    load_checkpoint(model, path)
    torch.nn.init.normal_(model.backbone.branch.spatial[0].fc1.weight)
    load_branch(model, tmp_path / 'branch.pth')
    assert_encodes_as_it_did(model, kind)


@every_kind
@pytest.mark.parametrize('broken', ['lost', 'resized'])
def test_one_that_is_not_whole_is_refused_in_a_line(kind, broken, tmp_path):
    checkpoint = dict(old()[kind]['checkpoint'])
    state = checkpoint['state_dict'] = dict(checkpoint['state_dict'])
    name = next(name for name in state if name.endswith(('q_bias', 'q_proj.weight', 'qkv.weight',
                                                         'in_proj_weight')) and '.trunk.' in name)
    if broken == 'lost':
        del state[name]
    else:
        state[name] = torch.ones(2, 3, 4)
    torch.save(checkpoint, tmp_path / 'broken.pth')
    with pytest.raises(ValueError, match='broken.pth is of another architecture.*attn') as refusal:
        load_checkpoint(model_of(kind), str(tmp_path / 'broken.pth'))
    assert '\n' not in str(refusal.value)
