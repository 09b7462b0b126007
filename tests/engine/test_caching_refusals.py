"""Frozen states on disk: what is refused, kills, damage."""
import contextlib
import io
import json
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from mmbt.datasets import FixedDraws
from mmbt.datasets.sample_index import SampleIndex
from mmbt.datasets.states import StatesForm, StatesReader, checking, layout
from mmbt.datasets.states.checking import check_states
from mmbt.engine import caching
from mmbt.engine.caching import CacheOptions, cache_states
from mmbt.files.safe_load import weights_only

from .states_world import (
    CLIPS,
    FRAMES,
    batch_of,
    config_of,
    copied,
    losses_of,
)


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
