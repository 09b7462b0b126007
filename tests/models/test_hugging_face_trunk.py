"""Vision towers of transformers: the same weights are the same trunk as open_clip's."""

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import load_file, save_file

from mmbt.apis import load_branch, save_branch
from mmbt.models import BTAdapter, FrameMean, HuggingFaceTrunk
from mmbt.models.branch import SpatialBlock

from ..support.tiny import stir
from ..support.tiny_towers import (
    CLIPS_OF_HF,
    EVAS_OF_HF,
    FAMILY,
    blip2_vision,
    clip,
    clip_vision,
    clip_vision_with_projection,
    frames,
    inner_transformer,
    instructblip,
    instructblip_vision,
    llava,
    reference,
    same_weights,
)

ALL = CLIPS_OF_HF + EVAS_OF_HF
every_model = pytest.mark.parametrize('build', ALL, ids=lambda build: build.__name__)


def assert_same_weights(ours, expected):
    """Equal tensor for tensor; without a joint space the head is left out."""
    if 'proj.weight' not in ours:
        expected = {name: value for name, value in expected.items()
                    if not name.startswith(('norm.', 'proj.'))}
    assert set(ours) == set(expected)
    for name, value in ours.items():
        assert torch.equal(value, expected[name].to(value.dtype)), name


@every_model
def test_the_tower_is_found_and_every_layer_equals_open_clips(build):
    trunk = reference(FAMILY[build])
    model = same_weights(build, trunk)
    ours = HuggingFaceTrunk(model)
    assert_same_weights(ours.canonical_state(), trunk.canonical_state())
    for name in ('width', 'num_layers', 'num_patches', 'num_heads', 'image_size', 'eps'):
        assert getattr(ours, name) == getattr(trunk, name), name
    imgs = frames(FAMILY[build])
    states, expected = ours.hidden_states(imgs, range(5)), trunk.hidden_states(imgs, range(5))
    for layer in range(5):
        torch.testing.assert_close(states[layer].cls, expected[layer].cls)
        torch.testing.assert_close(states[layer].patches, expected[layer].patches)
    torch.testing.assert_close(ours.norm(states[4].cls), trunk.norm(expected[4].cls))


@every_model
def test_every_hidden_state_is_transformers_own(build):
    model = same_weights(build, reference(FAMILY[build]))
    imgs = frames(FAMILY[build])
    with torch.no_grad():
        theirs = inner_transformer(model)(imgs.flatten(0, 1), output_hidden_states=True)
    states = HuggingFaceTrunk(model).hidden_states(imgs, range(5))
    assert len(theirs.hidden_states) == 5
    for ours, expected in zip(states, theirs.hidden_states):
        tokens = torch.cat([ours.cls[:, :, None], ours.patches], dim=2).flatten(0, 1)
        torch.testing.assert_close(tokens, expected, rtol=0, atol=1e-9)


@every_model
def test_single_precision_agrees_to_a_hundred_thousandth(build):
    trunk = reference(FAMILY[build])
    ours = HuggingFaceTrunk(same_weights(build, trunk)).float()
    imgs = frames(FAMILY[build]).float()
    theirs = trunk.float().hidden_states(imgs, range(5))
    for one, other in zip(ours.hidden_states(imgs, range(5)), theirs):
        torch.testing.assert_close(one.patches, other.patches, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(one.cls, other.cls, rtol=1e-5, atol=1e-5)


def assert_same_encoding(trunk, other, imgs, variant, path):
    """The same branch file beside both trunks encodes alike; returns the video embeddings."""
    torch.manual_seed(4)
    adapters = [BTAdapter(each, num_layers=3, num_frames=4, variant=variant).double()
                for each in (trunk, other)]
    stir(adapters[0].branch)
    save_branch(adapters[0], path)
    load_branch(adapters[1], path)
    visible = torch.tensor([[0, 2, 3]]).expand(len(imgs), -1)
    for mask in (None, visible):
        first, second = [adapter(imgs, mask) for adapter in adapters]
        for name in ('clip_tokens', 'branch_tokens', 'clip_cls', 'branch_cls'):
            torch.testing.assert_close(getattr(second, name), getattr(first, name), msg=name)
    return first.video, second.video


@pytest.mark.parametrize('variant', ['paper', 'released'])
@pytest.mark.parametrize('drop_last', [0, 1])
@every_model
def test_the_same_branch_file_encodes_alike_beside_both(build, drop_last, variant, tmp_path):
    trunk = reference(FAMILY[build])
    ours = HuggingFaceTrunk(same_weights(build, trunk), drop_last=drop_last)
    theirs = reference(FAMILY[build], drop_last)
    expected, video = assert_same_encoding(theirs, ours, frames(FAMILY[build]), variant,
                                           tmp_path / 'branch.pth')
    if drop_last == 0 and build in (clip, clip_vision_with_projection):
        torch.testing.assert_close(video, expected)
    else:
        assert ours.embed_dim is None and video is None


@pytest.mark.parametrize('variant', ['paper', 'released'])
@pytest.mark.parametrize('build', [blip2_vision, instructblip_vision])
def test_an_eva_without_its_last_layer_is_the_whole_one_less_that_layer(build, variant, tmp_path):
    model = same_weights(build, reference('eva'), num_hidden_layers=3)
    ours = HuggingFaceTrunk(model, depth=4, drop_last=1)
    theirs = reference('eva', drop_last=1)
    assert ours.num_layers == 3
    assert_same_weights(ours.canonical_state(), theirs.canonical_state())
    assert_same_encoding(theirs, ours, frames('eva'), variant, tmp_path / 'branch.pth')


@every_model
def test_a_spatial_block_is_a_copy_of_its_layer(build):
    """On one frame the copy's forward is the layer's own, and training it leaves the layer be."""
    ours = HuggingFaceTrunk(same_weights(build, reference(FAMILY[build])))
    tokens = torch.randn(2, 1 + ours.num_patches, ours.width, dtype=torch.float64)
    for index in range(4):
        block = ours.copied_block(index, SpatialBlock).double()
        cls, patches = block(tokens[:, 0], tokens[:, None, 1:])
        expected = ours.block(index, tokens)
        torch.testing.assert_close(cls, expected[:, 0])
        torch.testing.assert_close(patches[:, 0], expected[:, 1:])
        stir(block)
        assert torch.equal(ours.block(index, tokens), expected)


@pytest.mark.parametrize('build', [llava, instructblip], ids=lambda build: build.__name__)
def test_the_tower_is_frozen_and_stays_in_eval_mode(build):
    model = same_weights(build, reference(FAMILY[build]))
    trunk = HuggingFaceTrunk(model)
    adapter = BTAdapter(trunk, num_layers=2, num_frames=4).double().train()
    assert not any(module.training for module in trunk.modules())
    encoding = adapter(frames(FAMILY[build]))
    (encoding.branch_tokens.sum() + encoding.branch_cls.sum()).backward()
    assert all(p.grad is None and not p.requires_grad for p in trunk.parameters())
    assert all(p.grad is not None for name, p in adapter.branch.named_parameters()
               if not name.startswith('output_gate'))


def test_an_open_tower_trains():
    model = same_weights(clip_vision_with_projection, reference('clip'))
    trunk = HuggingFaceTrunk(model, frozen=False).train()
    FrameMean(trunk)(frames('clip')).video.sum().backward()
    assert all(p.grad is not None for p in trunk.parameters())


@every_model
def test_a_module_s_tower_is_copied(build):
    """Training the trunk, or casting it, leaves the module as it was, and the other way round."""
    model = same_weights(build, reference(FAMILY[build]))
    trunk = HuggingFaceTrunk(model, frozen=False)
    imgs = frames(FAMILY[build])
    before = trunk.hidden_states(imgs, [4])[0].patches.detach()
    model.load_state_dict({name: value + 1 for name, value in model.state_dict().items()})
    assert torch.equal(trunk.hidden_states(imgs, [4])[0].patches, before)
    theirs = {name: value.clone() for name, value in model.state_dict().items()}
    stir(trunk.half())
    assert all(torch.equal(value, theirs[name]) for name, value in model.state_dict().items())


def test_without_a_joint_space_there_is_no_projection():
    clip_trunk = same_weights(clip_vision_with_projection, reference('clip'))
    for trunk in (HuggingFaceTrunk(clip_vision()), HuggingFaceTrunk(blip2_vision()),
                  HuggingFaceTrunk(clip_trunk, drop_last=1)):
        assert trunk.embed_dim is None and trunk.text is None
        with pytest.raises(ValueError, match='no joint space'):
            trunk.proj(torch.zeros(1, trunk.width))
        assert not [name for name in trunk.canonical_state() if name.startswith(('norm', 'proj'))]


# --- folders


@every_model
def test_a_folder_gives_the_tower_of_the_model_saved_in_it(build, tmp_path):
    trunk = reference(FAMILY[build])
    model = same_weights(build, trunk).float()
    model.save_pretrained(tmp_path)
    ours = HuggingFaceTrunk(str(tmp_path))
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    assert len(ours.visual.state_dict()) == len(HuggingFaceTrunk(model).visual.state_dict())
    assert_same_weights(ours.canonical_state(), trunk.canonical_state())
    imgs = frames(FAMILY[build]).float()
    torch.testing.assert_close(ours.hidden_states(imgs, [4])[0].patches,
                               HuggingFaceTrunk(model).hidden_states(imgs, [4])[0].patches)


@pytest.mark.parametrize('build', [clip, llava, instructblip], ids=lambda build: build.__name__)
def test_half_precision_shards_and_pickled_tensors_are_read(build, tmp_path):
    trunk = reference(FAMILY[build])
    model = same_weights(build, trunk)
    model.half().save_pretrained(tmp_path / 'shards', max_shard_size='10KB')
    assert len(list((tmp_path / 'shards').glob('*.safetensors'))) > 2
    expected = {name: value.half().float() for name, value in trunk.canonical_state().items()}
    ours = HuggingFaceTrunk(str(tmp_path / 'shards'))
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    assert_same_weights(ours.canonical_state(), expected)
    pickled = tmp_path / 'pickled'
    pickled.mkdir()
    model.config.save_pretrained(pickled)
    torch.save(model.state_dict(), pickled / 'pytorch_model.bin')
    assert_same_weights(HuggingFaceTrunk(str(pickled)).canonical_state(), expected)


@pytest.mark.parametrize('prefix', [
    'vision_tower.vision_model.', 'model.vision_tower.vision_model.', 'vision_tower.',
    'model.vision_tower.'])
def test_a_folder_saved_by_any_version_is_read(prefix, tmp_path):
    """What stands before the names inside the tower has changed over time."""
    trunk = reference('clip')
    model = same_weights(llava, trunk).float()
    model.save_pretrained(tmp_path)
    state = load_file(tmp_path / 'model.safetensors')
    mark = next(key for key in state if key.endswith('embeddings.class_embedding'))
    before = mark[:-len('embeddings.class_embedding')]
    state = {key.replace(before, prefix, 1): value for key, value in state.items()}
    state[prefix + 'embeddings.position_ids'] = torch.arange(10)[None]  # files of old have it
    save_file(state, tmp_path / 'model.safetensors')
    assert_same_weights(HuggingFaceTrunk(str(tmp_path)).canonical_state(), trunk.canonical_state())


def test_a_config_builds_the_model_from_a_folder(tmp_path):
    trunk = reference('clip')
    same_weights(llava, trunk).float().save_pretrained(tmp_path)
    model = MODELS.build(dict(
        type='VideoTextModel',
        trunk=dict(type='HuggingFaceTrunk', model=str(tmp_path), drop_last=1),
        backbone=dict(type='BTAdapter', num_layers=3, num_frames=4))).double()
    imgs = frames('clip')
    encoding = model(dict(imgs=imgs), mode='tensor')
    expected = reference('clip', drop_last=1).hidden_states(imgs, [3])[0]
    torch.testing.assert_close(encoding.clip_tokens, expected.patches, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match='no joint space'):
        model.encode_video(imgs)


@pytest.mark.parametrize('variant', ['paper', 'released'])
@every_model
def test_a_branch_of_the_whole_clip_loads_beside_a_dialogue_model_s(build, variant, tmp_path):
    """It is saved beside all four layers of open_clip's, and read one layer earlier."""
    torch.manual_seed(4)
    whole = BTAdapter(reference(FAMILY[build]), num_layers=3, num_frames=4, variant=variant)
    stir(whole.double().branch)
    save_branch(whole, tmp_path / 'branch.pth')
    encodings = []
    for trunk in (reference(FAMILY[build], 1),
                  HuggingFaceTrunk(same_weights(build, reference(FAMILY[build])), drop_last=1)):
        short = BTAdapter(trunk, num_layers=3, num_frames=4, variant=variant).double()
        load_branch(short, tmp_path / 'branch.pth')
        encodings.append(short(frames(FAMILY[build])))
    for name in ('clip_tokens', 'branch_tokens', 'clip_cls', 'branch_cls'):
        torch.testing.assert_close(*(getattr(each, name) for each in encodings), msg=name)


@every_model
def test_a_branch_of_another_clip_is_refused_beside_it(build, tmp_path):
    trunk = reference(FAMILY[build])
    save_branch(BTAdapter(trunk, num_layers=3, num_frames=4), tmp_path / 'branch.pth')
    model = same_weights(build, trunk)
    for parameter in model.parameters():
        parameter.data.mul_(1.1)
    with pytest.raises(ValueError, match='another CLIP than the one at hand'):
        load_branch(BTAdapter(HuggingFaceTrunk(model), num_layers=3, num_frames=4),
                    tmp_path / 'branch.pth')
