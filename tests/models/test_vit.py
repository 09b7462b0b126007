"""Options of the vision transformer, against tiny random models of libraries that have them.

What the trunks of today need is in ``test_eva_trunk.py`` and ``test_hugging_face_trunk.py`` too.
"""
import copy
from dataclasses import replace

import open_clip
import pytest
import torch
import transformers
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer as TimmViT

from mmbt.models.checkpoints.model_hash import hash_model
from mmbt.models.families.names import OPEN_CLIP, TIMM
from mmbt.models.families.open_clip import options_of
from mmbt.models.layer import ACTIVATIONS, Block
from mmbt.models.rotary import Rotary, rotate
from mmbt.models.vit import VisionTransformer, ViTOptions

from ..support.tiny import stir
from ..support.tiny_towers import library

SIZES = dict(img_size=(24, 16), patch_size=8, embed_dim=32, depth=2, num_heads=2)
OURS = dict(width=32, num_layers=2, num_heads=2, mlp_width=128, image_size=(24, 16),
            patch_size=(8, 8))


def images(size=(24, 16), dtype=torch.float32):
    generator = torch.Generator().manual_seed(5)
    return torch.randn(3, 3, *size, generator=generator, dtype=dtype)


def states(tower, frames):
    """V(0) .. V(L), each (M, P + N, D)."""
    found = [tower.embed(frames)]
    for index in range(len(tower.blocks)):
        found.append(tower.block(index, found[-1]))
    return found


def states_of_timm(model, frames):
    """The same of a model of timm, and what its pooling makes of the last."""
    found = []
    hooks = [block.register_forward_hook(lambda _, args, output: found.extend([args[0], output]))
             for block in model.blocks]
    pooled = model(frames)
    for hook in hooks:
        hook.remove()
    return [found[0], *found[1::2]], pooled


def assert_equals_timm(options, model, **tolerance):
    """Every hidden state and the pooled, projected end, in single precision."""
    model = stirred(model)
    ours = VisionTransformer.from_state(options, model.state_dict(), TIMM.translate).eval()
    assert {name for name, _ in ours.named_parameters()} == set(ours.state_dict())
    with torch.no_grad():
        expected, pooled = states_of_timm(model, images())
        found = states(ours, images())
        for layer, (one, other) in enumerate(zip(found, expected, strict=True)):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=2e-5,
                                       msg=lambda m, at=layer: f'V({at}): {m}')
        torch.testing.assert_close(ours(images()), pooled, rtol=1e-5, atol=2e-5)
    return ours


def stirred(model):
    """Random values, other than where it starts, for all that is learnt."""
    torch.manual_seed(0)
    stir(model.eval(), 0.1)
    return model


FAMILIES = {
    'SigLIP': (
        lambda: TimmViT(**SIZES, class_token=False, global_pool='map', num_classes=12),
        dict(class_token=False, patch_bias=True, pre_norm=False, pooling='attention', eps=1e-6,
             embed_dim=12, proj_bias=True)),
    'SigLIP SO400M, tanh': (
        lambda: TimmViT(**SIZES, class_token=False, global_pool='map', num_classes=0,
                        act_layer='gelu_tanh'),
        dict(class_token=False, patch_bias=True, pre_norm=False, pooling='attention', eps=1e-6,
             activation='gelu_tanh')),
    'PE-Core': (
        lambda: Eva(**SIZES, global_pool='map', attn_type='rope', use_pre_transformer_norm=True,
                    use_rot_pos_emb=True, ref_feat_shape=(4, 4), rope_grid_offset=1.,
                    rope_grid_indexing='xy', attn_pool_num_heads=4, attn_pool_mlp_ratio=2.,
                    num_classes=12),
        dict(rotary=Rotary((4, 4), offset=1., across_first=True), pooling='attention',
             pool_heads=4, pool_mlp_width=64, eps=1e-6, embed_dim=12, proj_bias=True)),
    'EVA02-B': (
        lambda: Eva(**SIZES, qkv_fused=False, mlp_ratio=8 / 3, swiglu_mlp=True, scale_mlp=True,
                    scale_attn_inner=True, use_rot_pos_emb=True, ref_feat_shape=(5, 5),
                    global_pool='token', num_classes=12),
        dict(rotary=Rotary((5, 5)), mlp_width=85, gated=True, activation='silu', attn_norm=True,
             mlp_norm=True, patch_bias=True, pre_norm=False, eps=1e-6, embed_dim=12,
             proj_bias=True)),
    'EVA02-E': (
        lambda: Eva(**SIZES, use_post_norm=True, global_pool='token', num_classes=12),
        dict(post_norm=True, patch_bias=True, pre_norm=False, eps=1e-6, embed_dim=12,
             proj_bias=True)),
    'EVA01': (
        lambda: Eva(**SIZES, global_pool='token', num_classes=12),
        dict(patch_bias=True, pre_norm=False, eps=1e-6, embed_dim=12, proj_bias=True)),
    'DINOv2 with registers': (
        lambda: TimmViT(**SIZES, reg_tokens=3, no_embed_class=True, init_values=0.3,
                        num_classes=0),
        dict(registers=3, positions='patches', layer_scale=True, patch_bias=True, pre_norm=False,
             eps=1e-6)),
    'the mean of patches, without positions': (
        lambda: TimmViT(**SIZES, class_token=False, global_pool='avg', num_classes=0,
                        pos_embed='none', qk_norm=True, qkv_bias=False),
        dict(class_token=False, positions=None, pooling='mean', qk_norm=True, qkv_bias=False,
             patch_bias=True, pre_norm=False, eps=1e-6)),
}


@pytest.mark.parametrize('family', FAMILIES)
def test_a_family_of_timm_state_by_state(family):
    build, changes = FAMILIES[family]
    assert_equals_timm(ViTOptions(**{**OURS, **changes}), build())


@pytest.mark.parametrize('quick', [True, False])
def test_open_clips_vision_transformer_state_by_state(quick):
    sizes = dict(width=16, layers=3, head_width=8, patch_size=4, image_size=12)
    text = dict(context_length=8, vocab_size=60, width=16, heads=2, layers=1)
    theirs = stirred(open_clip.model.CustomTextCLIP(
        12, dict(sizes, mlp_ratio=3.0), text, quick_gelu=quick).visual).double()
    ours = VisionTransformer.from_state(options_of(theirs), theirs.state_dict(),
                                        OPEN_CLIP.translate)
    frames = images((12, 12), torch.float64)
    with torch.no_grad():
        expected = [theirs._embeds(frames)]
        for block in theirs.transformer.resblocks:
            expected.append(block(expected[-1]))
        for one, other in zip(states(ours, frames), expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
        torch.testing.assert_close(ours(frames), theirs(frames), rtol=0, atol=1e-12)


def test_its_parameters_have_the_order_of_open_clips():
    """States of optimizers know weights by their place alone."""
    theirs = library('clip').visual
    ours = VisionTransformer.from_state(options_of(theirs), theirs.state_dict(),
                                        OPEN_CLIP.translate)
    of_theirs = [name for name, _ in theirs.named_parameters()]
    sources = [OPEN_CLIP.weight(name, of_theirs).sources for name, _ in ours.named_parameters()]
    assert sources == [(name, ) for name in of_theirs]


def test_a_layer_of_pytorch_s_own():
    """Pre-norm and post-norm, which torch calls ``norm_first``; its post-norm is another one."""
    theirs = stirred(torch.nn.TransformerEncoderLayer(
        16, 2, 40, dropout=0., activation='gelu', batch_first=True, norm_first=True)).double()
    ours = Block(16, 2, 40).double()
    names = {'norm1': 'norm1', 'norm2': 'norm2', 'linear1': 'fc1', 'linear2': 'fc2',
             'self_attn.out_proj': 'attn.proj', 'self_attn.in_proj_weight': 'attn.qkv.weight',
             'self_attn.in_proj_bias': 'attn.qkv.bias'}
    state = {}
    for name, value in theirs.state_dict().items():
        module, _, kind = name.rpartition('.')
        state[names.get(name) or f'{names[module]}.{kind}'] = value
    ours.load_state_dict(state)
    tokens = torch.randn(2, 5, 16, dtype=torch.float64)
    torch.testing.assert_close(ours(tokens), theirs(tokens), rtol=0, atol=1e-12)
    torch.testing.assert_close(ours(tokens), tokens + ours.attention_update(tokens) +
                               ours.mlp_update(ours.attend(tokens)), rtol=0, atol=1e-12)


@pytest.mark.parametrize('name, theirs', [
    ('gelu', 'gelu'), ('quick_gelu', 'quick_gelu'), ('gelu_tanh', 'gelu_pytorch_tanh'),
    ('silu', 'silu')])
def test_activations_are_those_of_transformers(name, theirs):
    values = torch.linspace(-6, 6, 101, dtype=torch.float64)
    expected = transformers.activations.ACT2FN[theirs](values)
    torch.testing.assert_close(ACTIVATIONS[name](values), expected, rtol=0, atol=1e-12)


def test_registers_stand_behind_the_cls_and_have_no_place():
    tower = VisionTransformer(ViTOptions(**OURS, registers=2, pre_norm=False)).double()
    stir(tower)
    frames = images(dtype=torch.float64)
    tokens, rows = tower.embed(frames), tower.position_embedding
    patches = tower.patch_embedding(frames).flatten(2).transpose(1, 2)
    expected = [(tower.cls_token + rows[0]).expand(3, 1, -1), tower.registers.expand(3, -1, -1),
                patches + rows[1:]]
    torch.testing.assert_close(tokens, torch.cat(expected, dim=1), rtol=0, atol=1e-12)


def test_rotary_scores_tell_how_far_apart_two_patches_are_and_nothing_else():
    """Equal queries and keys everywhere: a score depends on the difference of places alone."""
    rotary = Rotary().table((3, 4), 8, num_prefix=1).double()
    assert torch.equal(rotary[0, 0], torch.ones(8).double()) and not rotary[1, 0].any()
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 8, generator=generator, dtype=torch.float64)
    scores = (rotate(query.expand(13, -1), rotary) @ rotate(key.expand(13, -1), rotary).T)[1:, 1:]
    grid = scores.view(3, 4, 3, 4)
    torch.testing.assert_close(grid[0, 0, 1, 2], grid[1, 1, 2, 3])
    torch.testing.assert_close(grid[2, 3, 0, 1], grid[2, 2, 0, 0])
    assert abs(grid[0, 0, 1, 2] - grid[0, 0, 2, 1]) > 1e-3  # down is not across
    assert abs(grid[0, 0, 0, 1] - grid[0, 1, 0, 0]) > 1e-3  # nor right left


def test_options_that_do_not_go_together_are_refused():
    for change, line in ((dict(class_token=False), "pooling='cls' needs class_token=True"),
                         (dict(pooling='max'), "pooling is one of .* got 'max'"),
                         (dict(positions='all'), "positions is one of .* got 'all'"),
                         (dict(activation='relu'), "activation is one of .* got 'relu'"),
                         (dict(num_heads=3), '3 heads do not divide the width 32')):
        with pytest.raises(ValueError, match=line):
            VisionTransformer(ViTOptions(**{**OURS, **change}))


def test_a_state_is_taken_whole_and_as_it_is():
    """Not copied, in its own types; what is missing, unknown or of another shape is refused."""
    tower = VisionTransformer(ViTOptions(**OURS, embed_dim=12)).half()
    state = tower.state_dict()
    ours = VisionTransformer.from_state(tower.options, state)
    assert all(value.data_ptr() == state[name].data_ptr() and value.dtype is torch.float16
               for name, value in ours.state_dict().items())
    for broken in ({name: value for name, value in state.items() if 'fc1' not in name},
                   dict(state, more=torch.ones(2)), dict(state, cls_token=torch.ones(3))):
        with pytest.raises(RuntimeError, match='fc1|more|cls_token'):
            VisionTransformer.from_state(tower.options, broken)


# --- an ordinary module

EVERY_OPTION = dict(
    OURS, rotary=Rotary((4, 4)), embed_dim=12, registers=2, qk_norm=True, attn_norm=True,
    mlp_norm=True, gated=True, activation='silu', layer_scale=True, pooling='attention')


@pytest.fixture(params=[dict(OURS, embed_dim=12), EVERY_OPTION], ids=['plain', 'every option'])
def tower(request):
    torch.manual_seed(0)
    tower = VisionTransformer(ViTOptions(**request.param)).eval()
    stir(tower, 0.1)
    return tower


@torch.no_grad()
def test_a_bfloat16_copy_leaves_the_tower_as_it_was(tower):
    expected, before = tower(images()), copy.deepcopy(tower.state_dict())
    low = copy.deepcopy(tower).bfloat16()
    found = low(images())
    assert found.dtype is torch.bfloat16 and {p.dtype for p in low.parameters()} == {torch.bfloat16}
    assert torch.nn.functional.cosine_similarity(found.float(), expected).min() > 0.99
    assert all(torch.equal(value, before[name]) for name, value in tower.state_dict().items())


@torch.no_grad()
def test_autocast_runs_it_in_bfloat16(tower):
    """The stream between the layers too."""
    with torch.autocast('cpu', torch.bfloat16):
        assert {state.dtype for state in states(tower, images())} == {torch.bfloat16}
        found = tower(images()).float()
    assert torch.nn.functional.cosine_similarity(found, tower(images())).min() > 0.99


@torch.no_grad()
def test_it_is_exported(tower):
    exported = torch.export.export(tower, (images(), )).module()
    torch.testing.assert_close(exported(images() + 1), tower(images() + 1), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_it_compiles_without_a_break(tower):
    compiled = torch.compile(tower, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(images()), tower(images()), rtol=1e-5, atol=1e-5)


def test_the_hash_of_a_model_knows_every_option(tower):
    """Of two towers with the same weights too."""
    def hashed(**change):
        made = VisionTransformer.from_state(replace(tower.options, **change), tower.state_dict())
        return hash_model(made, made.state_dict())

    changes = (dict(activation='gelu_tanh'), dict(eps=1e-6), dict(drop_path=0.1),
               dict(rotary=Rotary(offset=1.)))
    assert len({hashed(), *(hashed(**change) for change in changes)}) == 1 + len(changes)
    assert hashed() == hashed(eps=tower.options.eps)


def test_two_passes_are_the_same_and_nothing_is_kept(tower):
    before = {name: set(vars(module)) for name, module in tower.named_modules()}
    assert torch.equal(tower(images()), tower(images()))
    assert {name: set(vars(module)) for name, module in tower.named_modules()} == before


def test_nothing_is_dropped_but_in_training():
    """The last layer's updates are dropped in half of the cases, the first's never."""
    torch.manual_seed(0)
    tower = VisionTransformer(ViTOptions(**OURS, drop_path=0.5))
    tokens = torch.randn(400, 7, 32)
    with torch.no_grad():
        assert torch.equal(tower.train().block(0, tokens), tower.eval().block(0, tokens))
        kept = tower.train().blocks[1].attend(tokens) != tokens
        assert torch.equal(kept.any(-1).any(-1), kept.all(-1).all(-1))
        assert 0.4 < kept[:, 0, 0].float().mean() < 0.6
        whole = tower.eval().blocks[1].attention_update(tokens)
        assert torch.equal(tower.blocks[1].attend(tokens), tokens + whole)
