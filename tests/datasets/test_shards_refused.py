"""Shards of other settings, damaged shards, broken clips, and the config."""
import random
import time
from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config

from mmbt.datasets import CaptionedVideos, ShardedVideos, VideoReadError
from mmbt.datasets.shards.layout import ClipTable
from mmbt.datasets.shards.settings import ShardSettings
from mmbt.datasets.shards.write import FixedRate, make_shards
from mmbt.datasets.transforms import ReadShardFrames
from mmbt.files.lock import Lock

from ..support.forked import fork_until_told, kill
from .shards_world import (
    ROOT,
    SETTINGS,
    build,
    contents,
    read,
)

pytestmark = pytest.mark.slow


def test_other_settings_or_captions_are_refused(source, shards):
    with pytest.raises(ValueError, match='holds shards with frames 6, not 7'):
        make_shards(source, str(shards), ShardSettings(clips=2, frames=7, short_side=32))
    Path(source.ann_file).write_text('{}')
    with pytest.raises(ValueError, match='holds shards with annotation'):
        make_shards(source, str(shards), SETTINGS)
    with pytest.raises(ValueError, match='quality must be 1 to 100, got 0'):
        ShardSettings(quality=0)
    with pytest.raises(ValueError, match='fps must be above 0'):
        ShardSettings(fps=0)


def test_nothing_but_broken_videos(tmp_path):
    (tmp_path / 'ann.json').write_text('{"a.mp4": ["x"]}')
    source = CaptionedVideos(ann_file=str(tmp_path / 'ann.json'), pipeline=[])
    with pytest.raises(ValueError, match='none of 1 videos .* a.mp4 is missing'):
        make_shards(source, str(tmp_path / 'out'), SETTINGS)


def test_a_fixed_rate_of_frames():
    even = dict(start_index=0, times=np.arange(31) / 10, seconds=3.1)
    results = FixedRate(2).transform(dict(even, total_frames=31))
    assert results['frame_inds'].tolist() == [0, 5, 10, 15, 20, 25, 30]
    assert FixedRate(2).transform(dict(total_frames=1))['frame_inds'].tolist() == [0]
    even = dict(start_index=0, times=np.arange(9) / 25, seconds=9 / 25)
    assert len(FixedRate(50).transform(dict(even, total_frames=9))['frame_inds']) == 9
    uneven = dict(total_frames=5, times=np.array([0, .1, .2, 1, 1.9]), seconds=2.)
    assert FixedRate(2).transform(uneven)['frame_inds'].tolist() == [0, 2, 3, 4]


def test_shards_that_are_not_whole(shards):
    tar = shards / 'shard-000001.tar'
    data = tar.read_bytes()
    tar.write_bytes(data[:5000])
    with pytest.raises(ValueError, match='shard-000001.tar has 5000 bytes, expected'):
        build(shards, [])
    tar.unlink()
    with pytest.raises(FileNotFoundError, match='shard .*shard-000001.tar is missing'):
        build(shards, [])
    (shards / 'manifest.json').write_text('{"a": 1}')
    with pytest.raises(ValueError, match="lists no 'shards'"):
        ClipTable(str(shards / 'manifest.json'))


@pytest.fixture
def damaged(shards):
    """The same with a damaged header (clip 0) and a clip whose pictures are damaged (clip 2)."""
    first, second = shards / 'shard-000000.tar', shards / 'shard-000001.tar'
    data = bytearray(first.read_bytes())
    data[:512] = bytes(512)
    first.write_bytes(data)
    clip = ClipTable(str(shards / 'manifest.json'))[2]
    data = bytearray(second.read_bytes())
    for start, size in clip['frame_ranges']:
        data[start:start + size] = bytes(size)
    second.write_bytes(data)
    return shards


def test_damaged_clips_are_broken_videos(damaged):
    """Counted in training, errors in evaluation."""
    dataset = build(damaged, read(2), test_mode=True)
    with pytest.raises(VideoReadError, match='shard-000000.tar has no clip at byte 0'):
        dataset[0]
    with pytest.raises(VideoReadError, match='shard-000001.tar/000000003 holds a frame'):
        dataset[2]
    dataset = build(damaged, read(2), max_refetch=1000)
    assert dataset[0]['video_id'] in ('b.mp4', 'e.mp4') and dataset.num_broken >= 1


def test_an_evaluation_may_go_on_without_damaged_clips(damaged):
    steps = [*read(2, test_mode=True), dict(type='Resize', scale=(32, 32), keep_ratio=False),
             dict(type='TokenizeText', context_length=8, caption='all'),
             dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]
    dataset = build(damaged, steps, test_mode=True, on_broken='skip')
    samples = [dataset[index] for index in range(4)]
    told = [sample['data_samples'].get('broken') for sample in samples]
    assert told[1] is told[3] is None
    assert 'has no clip at byte 0' in told[0] and 'holds a frame' in told[2]
    names = [sample['data_samples'].video_id for sample in samples]
    assert names == ['clip 0', 'b.mp4', 'd.mp4', 'e.mp4']
    assert [sample['data_samples'].captions for sample in samples[::2]] == [[''], ['d.mp4', 'é']]
    for sample in samples:
        assert sample['inputs']['imgs'].shape == (2, 3, 32, 32)
        assert sample['inputs']['imgs'].any() == ('broken' not in sample['data_samples'])


def test_the_config(source, shards):
    """It differs from pretrain_webvid.py in how the frames are read and in nothing else."""
    files = Config.fromfile(ROOT / 'configs/pretrain_webvid.py').to_dict()
    config = Config.fromfile(ROOT / 'configs/pretrain_webvid_shards.py').to_dict()
    dataset = config['train_dataloader'].pop('dataset')
    pipeline = files['train_dataloader'].pop('dataset')['pipeline']
    assert dataset['pipeline'][0] == dict(pipeline[0], type='ReadShardFrames')
    assert dataset['pipeline'][1:] == pipeline[1:]
    assert config.pop('train_pipeline') == dataset['pipeline'] and files.pop('train_pipeline')
    assert config.pop('read_frames') == dataset['pipeline'][0] and files.pop('read_frames')
    assert config == files
    built = build(shards, dataset['pipeline'])
    assert isinstance(built, ShardedVideos)
    assert built[0]['inputs']['imgs'].shape == (8, 3, 224, 224)
    assert built[0]['inputs']['tokens'].shape == (1, 32)


def test_a_page_that_a_copy_lost_is_found_by_its_checksum(shards):
    """A JPEG whose end is missing decodes, partly grey; each frame of a clip in turn."""
    tar = shards / 'shard-000001.tar'
    whole = tar.read_bytes()
    dataset = build(shards, read(6, test_mode=True), test_mode=True)
    expected = dataset[2]['imgs']
    for start, size in ClipTable(str(shards / 'manifest.json'))[2]['frame_ranges']:
        data = bytearray(whole)
        middle = start + size // 2
        data[middle:start + size - 2] = bytes(start + size - 2 - middle)
        tar.write_bytes(data)
        with pytest.raises(VideoReadError, match='holds a frame whose checksum is another'):
            dataset[2]
    tar.write_bytes(whole)
    assert all(np.array_equal(a, b) for a, b in zip(dataset[2]['imgs'], expected))


@pytest.mark.parametrize('name', ['manifest.json', 'shard-000001.json'])
def test_a_list_cut_at_a_hundred_places_is_refused(shards, name):
    whole = (shards / name).read_bytes().rstrip()
    for length in random.Random(6).choices(range(len(whole)), k=100):
        (shards / name).write_bytes(whole[:length])
        with pytest.raises(ValueError, match=f'^{shards / name} [^\n]*$'):
            ClipTable(str(shards / 'manifest.json'))


def test_shards_of_before_there_were_checksums_are_read(shards):
    clip = ClipTable(str(shards / 'manifest.json'))[2]
    assert len(clip['crc32']) == len(clip['frame_ranges'])
    clip.pop('crc32')
    step = ReadShardFrames(2, test_mode=True)
    assert len(step.transform(clip)['imgs']) == 2
    for strange in ('words', [], [1, 2]):
        clip = dict(ClipTable(str(shards / 'manifest.json'))[2], crc32=strange)
        with pytest.raises(VideoReadError, match='checksum'):
            step.transform(clip)


def test_two_that_write_one_folder_are_one_too_many(source, shards):
    def keep(told):
        with Lock(shards / 'shards.lock'):
            told()
            time.sleep(60)

    whole, child = contents(shards), fork_until_told(keep)
    with pytest.raises(ValueError, match=f'^{shards} is being written by another run .process '
                       f'{child} on .*; wait for it, or write elsewhere$'):
        make_shards(source, str(shards), SETTINGS)
    kill(child)
    (shards / 'shard-000001.tar').unlink()
    make_shards(source, str(shards), SETTINGS)
    assert contents(shards) == whole
