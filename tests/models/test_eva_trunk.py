"""EVA-CLIP-g of open_clip as a trunk: its own numbers, and no randomness while it is frozen."""
import copy

import pytest
import torch

from mmbt.models import BTAdapter, FrameMean, OpenCLIPTrunk
from mmbt.models.branch import SpatialBlock

from ..support.tiny import stir
from ..support.tiny_towers import EVA, frames, library, reference


def changed(**vision):
    """The tiny EVA with other settings of its vision tower."""
    arch = copy.deepcopy(EVA)
    arch['vision_cfg'].update(vision)
    return arch


def test_the_trunk_is_open_clips_own_encode_image():
    trunk, whole, imgs = reference('eva'), library('eva'), frames('eva')
    with torch.no_grad():
        expected = whole.encode_image(imgs.flatten(0, 1)).unflatten(0, imgs.shape[:2])
    cls = trunk.hidden_states(imgs, [trunk.num_layers])[0].cls
    torch.testing.assert_close(trunk.proj(trunk.norm(cls)), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(FrameMean(trunk)(imgs).video, expected.mean(dim=1))


def test_its_keys_have_no_bias_and_everything_else_does():
    trunk = reference('eva')
    state = trunk.canonical_state()
    for index in range(4):
        query, key, value = state[f'blocks.{index}.attn.qkv.bias'].chunk(3)
        assert (key == 0).all() and (query != 0).all() and (value != 0).all()
    assert (state['patch_embedding.bias'] != 0).all() and (state['proj.bias'] != 0).all()
    assert not [name for name in state if name.startswith('pre_norm')]


@pytest.mark.parametrize('index', range(4))
def test_a_spatial_block_is_a_copy_of_its_layer(index):
    trunk = reference('eva')
    tokens = torch.randn(2, 1 + trunk.num_patches, trunk.width, dtype=torch.float64)
    block = trunk.copied_block(index, SpatialBlock).double()
    cls, patches = block(tokens[:, 0], tokens[:, None, 1:])
    expected = trunk.block(index, tokens)
    torch.testing.assert_close(cls, expected[:, 0])
    torch.testing.assert_close(patches[:, 0], expected[:, 1:])


def test_drop_path_of_the_frozen_tower_is_off_while_the_branch_trains():
    """The authors' released code leaves it on, so that its frozen EVA is noisy in training."""
    plain = reference('eva')
    trunk = OpenCLIPTrunk(changed(timm_drop_path=0.9)).double()
    for block, rate in zip(trunk.visual.blocks, (0, 0.3, 0.6, 0.9)):
        assert block.drop_path.rate == block.mlp_drop_path.rate == pytest.approx(rate)
    trunk.visual.load_state_dict(plain.visual.state_dict())
    adapter = BTAdapter(trunk, num_layers=3, num_frames=4).double().train()
    stir(adapter.branch)
    assert adapter.branch.training and not any(m.training for m in trunk.modules())
    imgs = frames('eva')
    first, second = adapter(imgs), adapter(imgs)
    expected = plain.hidden_states(imgs, [4])[0].patches
    assert torch.equal(first.clip_tokens, second.clip_tokens)
    assert torch.equal(first.clip_tokens, expected)
    assert torch.equal(first.video, second.video)
    trunk.freeze(False)
    assert not torch.equal(trunk.hidden_states(imgs, [4])[0].patches, expected)  # else it is off


def test_the_real_one_has_the_sizes_of_eva_clip_g():
    with torch.device('meta'):
        trunk = OpenCLIPTrunk('EVA01-g-14')
        dropped = OpenCLIPTrunk('EVA01-g-14', drop_last=1)
    assert (trunk.width, trunk.num_layers, trunk.num_heads) == (1408, 40, 16)
    assert (trunk.num_patches, trunk.embed_dim, trunk.image_size) == (256, 1024, (224, 224))
    assert trunk.card.activation == 'gelu' and trunk.eps == 1e-6
    assert trunk.visual.blocks[39].fc1.weight.shape == (6144, 1408)
    assert (dropped.num_layers, dropped.embed_dim) == (39, None)


@pytest.mark.parametrize('arch', ['EVA02-B-16', 'EVA02-L-14'])
def test_eva_02_is_refused(arch):
    with pytest.raises(ValueError, match=f"arch '{arch}'.*EVA-01 alone") as error, \
            torch.device('meta'):
        OpenCLIPTrunk(arch)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize('vision', [
    dict(timm_pool='avg'), dict(timm_proj='linear'), dict(patch_dropout=0.5)])
def test_an_eva_that_pools_projects_or_drops_patches_is_refused(vision):
    with pytest.raises(ValueError, match='EVA-01 alone') as error:
        OpenCLIPTrunk(changed(**vision))
    assert '\n' not in str(error.value)
