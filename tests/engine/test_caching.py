"""Frozen states on disk: what is trained and tested with them, what is refused, kills, damage."""
import contextlib
import io
import json
import random
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from mmbt.datasets import CaptionedVideos, FixedDraws
from mmbt.datasets.sample_index import SampleIndex
from mmbt.datasets.states import StatesForm, StatesReader, checking, layout
from mmbt.datasets.states.checking import check_states
from mmbt.engine import caching
from mmbt.engine.caching import CacheOptions, cache_states
from mmbt.files.safe_load import weights_only
from mmbt.models.init_model import init_model

CLIPS, FRAMES, DRAWS, EPOCHS = 7, 3, 2, 2
ARCH = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=4, head_width=8),
    text_cfg=dict(context_length=8, vocab_size=49408, width=16, heads=2, layers=1))
HEADS = [dict(type='VTCHead', temperature=0.1), dict(type='MBTAHead'),
         dict(type='MBCAHead', temperature=0.1)]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Folders of frames with captions, and a CLIP's weights."""
    folder = tmp_path_factory.mktemp('world')
    noise = np.random.default_rng(0)
    captions = {}
    for clip in range(CLIPS):
        name = f'clip{clip}'
        (folder / 'videos' / name).mkdir(parents=True)
        for frame in range(9):
            cv2.imwrite(str(folder / f'videos/{name}/{frame:02}.png'),
                        noise.integers(0, 256, (14, 16, 3), np.uint8))
        captions[name] = [f'a thing {word}' for word in ('moves', 'stops', 'turns')[:1 + clip % 3]]
    (folder / 'train.json').write_text(json.dumps(captions))
    torch.manual_seed(0)
    model = init_model(config_of(folder, None))
    torch.save(dict(state_dict=model.state_dict()), folder / 'clip.pth')
    return folder


def config_of(world, states, draws=DRAWS, test=False, mask=0.5, **change):
    """A training of a few steps with everything random that a training has."""
    reading = [
        dict(type='ReadFrames', num_frames=FRAMES, test_mode=test),
        *([] if test else [dict(type='RandomResizedCrop', area_range=(0.5, 1.0))]),
        dict(type='Resize', scale=(12, 12), keep_ratio=False),
        dict(type='FormatShape', input_format='NCHW')]
    pipeline = [
        dict(type='FixedDraws', draws=draws, seed=3, transforms=reading,
             states=None if states is None else str(states)),
        dict(type='TokenizeText', context_length=8, caption='all' if test else 'random'),
        dict(type='PackVideoText')]
    dataset = dict(type='CaptionedVideos', ann_file=str(world / 'train.json'), form='dict',
                   data_prefix=dict(video=str(world / 'videos')), pipeline=pipeline,
                   test_mode=test)
    loader = dict(batch_size=3, num_workers=0, dataset=dataset)
    sampler = dict(type='ResumableSampler', shuffle=True)
    told = dict(
        default_scope='mmaction',
        model=dict(
            type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH),
            backbone=dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, drop_path=0.2),
            mask=None if mask is None else dict(type='TubeMask', ratio=mask), heads=HEADS),
        train_dataloader=dict(loader, sampler=sampler), test_dataloader=loader,
        load_from=str(world / 'clip.pth') if (world / 'clip.pth').exists() else None,
        train_cfg=dict(type='ResumableTrainLoop', max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-2), clip_grad=dict(max_norm=1)),
        param_scheduler=dict(type='WarmUpCosineLR', warmup=0.3, by_epoch=False),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=100),
                           model_card=dict(type='ModelCardHook')),
        randomness=dict(seed=3), log_level='ERROR')
    return Config({**told, **change})


@pytest.fixture(scope='module')
def kept(world):
    """The training's states, of the layers that its branch reads, in float32."""
    folder = world / 'states'
    found = cache_states(config_of(world, folder), CacheOptions())
    assert found['records'] == CLIPS * DRAWS and found['exact']
    return folder


def copied(folder, to):
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def batch_of(config, indices=range(CLIPS)):
    dataset = CaptionedVideos(**{key: value for key, value in
                                 config.train_dataloader.dataset.to_dict().items()
                                 if key != 'type'})
    return pseudo_collate([dataset[SampleIndex(index, 5 + index, 1)] for index in indices])


def losses_of(config, indices=range(CLIPS)):
    """The losses, and gradients, of one batch, with the mask of a fixed seed."""
    model = init_model(config, config.load_from).train()
    data = model.data_preprocessor(batch_of(config, indices))
    torch.manual_seed(9)
    losses = model.loss(data['inputs'])
    sum(losses.values()).backward()
    return losses, {name: p.grad for name, p in model.named_parameters() if p.requires_grad}


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


def test_another_model_list_sampling_or_layer_is_refused_in_one_line(world, kept, tmp_path):
    """By training, and by mmbt cache, which would write into the folder."""
    stirred = tmp_path / 'other.pth'
    with weights_only():
        state = torch.load(world / 'clip.pth')['state_dict']
    state['backbone.trunk.visual.blocks.1.fc1.bias'][0] += 1e-6
    torch.save(dict(state_dict=state), stirred)
    listed = json.loads((world / 'train.json').read_text())
    other_list = {f'clip{i}': listed[f'clip{i}'] for i in (1, 0, *range(2, CLIPS))}
    (world / 'other.json').write_text(json.dumps(other_list))

    model, order = config_of(world, kept, load_from=str(stirred)), config_of(world, kept)
    order.train_dataloader.dataset.ann_file = str(world / 'other.json')
    draws = config_of(world, kept, draws=3)
    crop = config_of(world, kept)
    crop.train_dataloader.dataset.pipeline[0].transforms[1].area_range = (0.9, 1.0)
    for config, training, caching_says in (
            (model, 'of another CLIP', 'results of another weights'),
            (order, "of another list: clip 0 was not 'clip1' there", 'results of another list'),
            (draws, 'of another sampling (draws: 2 there, 3 here)', 'results of another sampling'),
            (crop, 'of another sampling (transforms: area_range: 0.5 there, 0.9 here)',
             'results of another sampling')):
        for work, words in ((losses_of, training),
                            (lambda told: cache_states(told, CacheOptions()), caching_says)):
            with pytest.raises(ValueError) as error:
                work(config)
            assert words in str(error.value) and '\n' not in str(error.value)
    with pytest.raises(ValueError, match='results of another form'):
        cache_states(config_of(world, kept), CacheOptions(dtype='bfloat16'))
    few = config_of(world, tmp_path / 'few')
    cache_states(few, CacheOptions(layers=(1, 4)))
    with pytest.raises(ValueError, match=r'are of layers \[1, 4\], and the backbone reads '
                       r'\[1, 2, 3, 4\]'):
        losses_of(few)
    open_trunk = config_of(world, kept)
    open_trunk.model.trunk.frozen = False
    with pytest.raises(ValueError, match='this one is trained'):
        losses_of(open_trunk)
    with pytest.raises(ValueError, match='only those of a frozen one can be kept'):
        cache_states(open_trunk, CacheOptions())
    missing = config_of(world, tmp_path / 'nowhere')
    with pytest.raises(FileNotFoundError, match='mmbt cache makes them'):
        losses_of(missing)


def test_a_killed_cache_goes_on_and_ends_the_same(world, kept, tmp_path, monkeypatch):
    """Files that were whole are not written again, one that was not is."""
    form = StatesReader(kept).form
    monkeypatch.setattr(caching, 'FILE_BYTES', 3 * form.record_bytes)
    config, told = config_of(world, tmp_path), []

    def killed(done, total):
        told.append((done, total))
        if len(told) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache_states(config, CacheOptions(), progress=killed)
    assert told == [(3, 14), (6, 14)] and not (tmp_path / layout.MANIFEST).exists()
    with pytest.raises(FileNotFoundError, match='goes on making them'):
        losses_of(config)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob('*.bin')}
    (tmp_path / 'states-000002.bin').write_bytes(b'half of it')  # not in the journal
    cache_states(config, CacheOptions())
    assert {path: path.stat().st_mtime_ns for path in times} == times and len(times) == 2
    whole = (kept / 'states-000000.bin').read_bytes()
    assert b''.join(path.read_bytes() for path in sorted(tmp_path.glob('*.bin'))) == whole


def test_damage_is_found_by_its_checksum_and_made_good(world, kept, tmp_path):
    copied(kept, tmp_path)
    path = tmp_path / 'states-000000.bin'
    whole = path.read_bytes()
    assert check_states(tmp_path) == []
    place = 5 * StatesReader(kept).form.record_bytes + 77
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
    config = config_of(world, tmp_path)
    with pytest.raises(ValueError, match='holds a record whose checksum is another'):
        losses_of(config)
    losses_of(config, [0, 1])  # the others are read
    assert check_states(tmp_path) == ['states-000000.bin']
    cache_states(config, CacheOptions())
    assert path.read_bytes() == whole and check_states(tmp_path) == []
    path.write_bytes(whole[:-5])
    with pytest.raises(ValueError, match='is cut short'):
        losses_of(config)


def test_a_clip_that_cannot_be_read_is_broken_there_too(world, tmp_path):
    listed = json.loads((world / 'train.json').read_text())
    (world / 'broken.json').write_text(json.dumps({**listed, 'none': ['a thing']}))
    config = config_of(world, tmp_path)
    config.train_dataloader.dataset.ann_file = str(world / 'broken.json')
    with contextlib.redirect_stdout(io.StringIO()) as said:
        cache_states(config, CacheOptions())
    assert 'left out' in said.getvalue() and 'none' in said.getvalue()
    data = batch_of(config, [CLIPS])
    assert data['data_samples'][0].video_id != 'none'  # another clip takes its place


def test_a_disk_without_room_is_told_before(world, tmp_path, monkeypatch):
    monkeypatch.setattr(checking.shutil, 'disk_usage',
                        lambda path: type('Usage', (), dict(free=1000)))
    with pytest.raises(ValueError, match='choose another folder, --visible, --dtype bfloat16'):
        cache_states(config_of(world, tmp_path), CacheOptions())


def test_draws_are_the_clip_s_alone(world):
    """Whatever was drawn before; outside, as if nothing had been drawn."""
    draws = FixedDraws([dict(type='ReadFrames', num_frames=FRAMES)], draws=2)
    folder = str(world / 'videos/clip0')

    def read(seed, index):
        np.random.seed(seed), random.seed(seed), torch.manual_seed(seed)
        inds = draws.transform(dict(filename=folder, sample_idx=index))['frame_inds'].tolist()
        return inds, np.random.rand(), random.random(), float(torch.rand(()))

    epochs = [read(seed, SampleIndex(0, 1, epoch))[0] for seed, epoch in
              ((1, 0), (2, 2), (3, 1), (4, 3))]
    assert epochs[0] == epochs[1] != epochs[2] == epochs[3]
    clips = [read(1, SampleIndex(index, 1, 0))[0] for index in range(8)]
    assert len({tuple(each) for each in clips}) > 4
    after = read(7, SampleIndex(0, 1, 0))[1:]
    np.random.seed(7), random.seed(7), torch.manual_seed(7)
    assert after == (np.random.rand(), random.random(), float(torch.rand(())))
    seen = Counter(tuple(read(seed, 0)[0]) for seed in range(40))  # another sampler's
    assert len(seen) == 2 and min(seen.values()) > 8
    with pytest.raises(ValueError, match='draws must be at least 1, got 0'):
        FixedDraws([], draws=0)


@pytest.mark.parametrize('told', [None, [], dict(layers=[1]), dict(
    layers=[1], frames=1, tokens=1, width=1, dtype='int8', visible=[], clip_len=1, records=1)])
def test_a_form_that_is_none(told):
    with pytest.raises(ValueError, match='does not say what its records are'):
        StatesForm.from_dict(told, 'states.json')


def test_paths_of_a_config_without_draws(world):
    config = config_of(world, None)
    with pytest.raises(ValueError, match='say where the states go'):
        cache_states(config, CacheOptions())
    with pytest.raises(ValueError, match='the config has no val_dataloader'):
        cache_states(config, CacheOptions(split='val'))
    config.train_dataloader.dataset.pipeline = [dict(type='PackVideoText')]
    with pytest.raises(ValueError, match='has 0 FixedDraws'):
        cache_states(config, CacheOptions())
    assert not Path('states').exists()
