"""Frozen states on disk: what is trained and tested with them."""
import contextlib
import io

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmbt.datasets.states import StatesReader
from mmbt.engine.caching import CacheOptions, cache_states
from mmbt.files.safe_load import weights_only
from mmbt.models.init_model import init_model

from .states_world import (
    CLIPS,
    EPOCHS,
    FRAMES,
    batch_of,
    config_of,
    losses_of,
)


@pytest.mark.slow
def test_training_ends_with_the_weights_of_training_from_frames(world, kept, tmp_path):
    """Bit for bit: draws, captions, masks, drop path and order are all the same."""
    ends = []
    for name, states in (('frames', None), ('states', kept)):
        config = config_of(world, states, work_dir=str(tmp_path / name))
        with contextlib.redirect_stdout(io.StringIO()):
            config.test_dataloader = None
            Runner.from_cfg(config).train()
        with weights_only():
            ends.append(torch.load(tmp_path / name / f'epoch_{EPOCHS}.pth'))
    frames, states = ends
    assert states['meta']['iter'] == EPOCHS * 3
    assert frames['state_dict'].keys() == states['state_dict'].keys()
    for name, weight in frames['state_dict'].items():
        assert torch.equal(states['state_dict'][name], weight), name
    with weights_only():
        start = torch.load(world / 'clip.pth')['state_dict']
    moved = [name for name, weight in frames['state_dict'].items()
             if not torch.equal(weight, start[name])]
    assert {'backbone.branch.gates.0.weight', 'heads.1.proj.weight'} <= set(moved)


def test_no_frame_is_read_and_no_layer_run(world, kept, monkeypatch):
    model = init_model(config_of(world, kept), str(world / 'clip.pth'))
    data = batch_of(config_of(world, kept))
    monkeypatch.setattr(model.trunk, 'embed', None)
    monkeypatch.setattr(model.trunk, 'block', None)
    encoding = model.encode(model.data_preprocessor(data)['inputs']['imgs'])
    assert encoding.video.shape == (CLIPS, 12) and 'imgs' not in data['inputs']


def test_testing_gives_the_same_features(world, tmp_path):
    """Of other weights of the branch too, as a test's checkpoint has."""
    features = []
    for states in (None, tmp_path):
        config = config_of(world, states, draws=1, test=True)
        if states is not None:
            cache_states(config, CacheOptions(split='test'))
        model = init_model(config, str(world / 'clip.pth'))
        torch.nn.init.normal_(model.backbone.branch.output_gate.weight,
                              generator=torch.Generator().manual_seed(1))
        data = model.data_preprocessor(batch_of(Config(dict(
            train_dataloader=config.test_dataloader))))
        samples = model.predict(data['inputs'], data['data_samples'])
        features.append([(each.video_feature, each.text_features, each.video_id)
                         for each in samples])
    for (video, text, name), (same_video, same_text, same_name) in zip(*features):
        assert torch.equal(video, same_video) and torch.equal(text, same_text)
        assert name == same_name


def test_views_are_averaged_as_from_frames(world, tmp_path):
    found = []
    for states in (None, tmp_path):
        config = config_of(world, states, draws=1, test=True)
        config.test_dataloader.dataset.pipeline[0].transforms[0].num_clips = 2
        if states is not None:
            cache_states(config, CacheOptions(split='test'))
        model = init_model(config, str(world / 'clip.pth'))
        data = model.data_preprocessor(batch_of(
            Config(dict(train_dataloader=config.test_dataloader)), range(3)))
        assert data['inputs']['imgs'].shape[:3] == (3, 2, FRAMES)
        found.append(model.encode_video(data['inputs']['imgs']))
    assert torch.equal(*found)


@pytest.mark.parametrize('dtype, most', [('bfloat16', 2**-8), ('float8', 2**-4)])
def test_fewer_bits_are_as_near_as_they_can_be(dtype, most, world, kept, tmp_path):
    """Of a value, half a step of its precision; in float8 of values not far below the largest."""
    cache_states(config_of(world, tmp_path), CacheOptions(dtype=dtype))
    ours, exact = StatesReader(tmp_path), StatesReader(kept)
    for clip in range(CLIPS):
        got = ours.read(clip, 1, f'clip{clip}')
        tokens = got['tokens'].float() * (got['scale'][..., None] if 'scale' in got else 1)
        right = exact.read(clip, 1, f'clip{clip}')['tokens']
        error = (tokens - right).abs()
        least = right.abs().amax(dim=-1, keepdim=True) * 2**-6 / 448 if 'scale' in got else 0
        assert bool((error <= most * right.abs() + least).all()) and error.any()
    share = 0.51 if dtype == 'bfloat16' else 0.33
    assert ours.form.record_bytes < share * exact.form.record_bytes


@pytest.mark.parametrize('kind', ['TubeMask', 'RandomMask'])
def test_visible_patches_are_those_of_the_mask_that_was_drawn(kind, world, tmp_path):
    """Loss and gradient are those from frames under the same positions, bit for bit."""
    config = config_of(world, tmp_path, draws=1)
    config.model.mask.type = kind
    cache_states(config, CacheOptions(visible=True))
    losses, gradients = losses_of(config, range(3))
    reader = StatesReader(tmp_path)
    visible = torch.stack([reader.read(i, 0, f'clip{i}')['visible'] for i in range(3)]).long()
    assert visible.shape == ((3, 5) if kind == 'TubeMask' else (3, FRAMES, 5))
    assert len({tuple(each.flatten().tolist()) for each in visible}) == 3
    assert reader.form.tokens == 6

    frames = config_of(world, None, draws=1)
    model = init_model(frames, frames.load_from).train()
    monkey = lambda *shape: visible  # noqa: E731
    model.mask.forward = monkey
    data = model.data_preprocessor(batch_of(frames, range(3)))
    torch.manual_seed(9)
    right = model.loss(data['inputs'])
    sum(right.values()).backward()
    assert {name: loss.item() for name, loss in losses.items()} == {
        name: loss.item() for name, loss in right.items()}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            assert torch.equal(weight.grad, gradients[name]), name

    config.model.mask = dict(type=kind, ratio=0.3)
    with pytest.raises(ValueError, match=rf'were kept under {kind}\(ratio=0.5\), and model.mask is '
                       rf'{kind}\(ratio=0.3\)'):
        losses_of(config, range(3))
    with pytest.raises(ValueError, match='of a training alone'):
        init_model(config, config.load_from).encode(
            init_model(config).data_preprocessor(batch_of(config, range(3)))['inputs']['imgs'])


def test_a_large_batch_of_states_has_the_gradient_of_the_whole(world, kept, tmp_path):
    config = config_of(world, kept)
    config.model.backbone.drop_path = 0.
    losses, gradients = losses_of(config)
    config.model.large_batch = dict(clips=2)
    parts, in_parts = losses_of(config)
    for name, loss in losses.items():
        torch.testing.assert_close(parts[name], loss, rtol=1e-5, atol=0)
    for name, gradient in gradients.items():
        torch.testing.assert_close(in_parts[name], gradient, rtol=0,
                                   atol=1e-4 * float(gradient.abs().max()) + 1e-9)
