"""Shards: what is written, what is read back, kills, broken clips, and the config."""
import json
import random
import tarfile
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import webdataset
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmbt.cli import main
from mmbt.datasets import CaptionedVideos, ReadFrames, ShardedVideos, VideoReadError
from mmbt.datasets.shards.layout import ClipTable
from mmbt.datasets.shards.settings import ShardSettings
from mmbt.datasets.shards.write import FixedRate, finished, make_shards
from mmbt.datasets.transforms import ReadShardFrames
from mmbt.engine import ResumableSampler
from mmbt.files.lock import Lock

from ..support.forked import fork, fork_until_told, kill, kill_group, run_limited

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NAMES = [f'{letter}.mp4' for letter in 'abcde']
SETTINGS = ShardSettings(clips=2, frames=6, short_side=32)


def read(num_frames, **kwargs):
    """A pipeline that only reads."""
    return [dict(type='ReadShardFrames', num_frames=num_frames, **kwargs)]


@pytest.fixture
def source(make_video, tmp_path):
    """Five videos of 12 to 16 frames, the third broken, with two captions each."""
    for number, name in enumerate(NAMES):
        make_video(tmp_path / 'videos' / name, num_frames=12 + number)
    (tmp_path / 'videos' / 'c.mp4').write_bytes(b'')
    (tmp_path / 'ann.json').write_text(json.dumps({name: [name, 'é'] for name in NAMES}))
    return CaptionedVideos(ann_file=str(tmp_path / 'ann.json'), pipeline=[],
                           data_prefix=dict(video=str(tmp_path / 'videos')))


@pytest.fixture
def shards(source, tmp_path):
    """The same in shards."""
    make_shards(source, str(tmp_path / 'out'), SETTINGS)
    return tmp_path / 'out'


def build(folder, pipeline, **kwargs):
    """The data set of a folder of shards."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(type='ShardedVideos', ann_file='manifest.json',
                                   data_root=str(folder), pipeline=pipeline, **kwargs))


def contents(folder):
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_what_is_written(source, tmp_path):
    told = []
    manifest = make_shards(source, str(tmp_path / 'two'), SETTINGS, workers=2,
                           progress=told.append)
    assert manifest == json.loads((tmp_path / 'two' / 'manifest.json').read_text())
    assert (manifest['clips'], manifest['broken']) == (4, 1) and told[-1] == 5
    assert [shard['clips'] for shard in manifest['shards']] == [2, 1, 1]
    broken = (tmp_path / 'two' / 'broken.txt').read_text()
    assert broken.startswith('c.mp4\t') and 'is empty' in broken and broken.count('\n') == 1
    for shard in manifest['shards']:
        assert (tmp_path / 'two' / shard['name']).stat().st_size == shard['bytes']
        assert finished(tmp_path / 'two' / shard['name'], verify=True)
    make_shards(source, str(tmp_path / 'one'), SETTINGS, workers=1)
    assert contents(tmp_path / 'one') == contents(tmp_path / 'two')
    assert not list(tmp_path.rglob('*.part'))


def test_the_tars_have_webdatasets_form(shards):
    """What a clip's files share is their name up to the first dot."""
    path = shards / 'shard-000000.tar'
    with tarfile.open(path) as tar:
        names = tar.getnames()
        info = json.load(tar.extractfile('000000001.json'))
        image = tar.extractfile('000000001.05.jpg').read()
    jpegs = [f'{frame:02}.jpg' for frame in range(6)]
    assert names == [f'{clip:09}.{name}' for clip in (0, 1) for name in ('json', *jpegs)]
    assert (info['video_id'], info['captions']) == ('b.mp4', ['b.mp4', 'é'])
    assert (info['total_frames'], info['stored_shape']) == (13, [32, 43])
    assert cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR).shape == (32, 43, 3)


def test_webdataset_reads_them(shards):
    path = shards / 'shard-000000.tar'
    samples = list(webdataset.WebDataset(str(path), shardshuffle=False))
    with tarfile.open(path) as tar:
        image = tar.extractfile('000000001.05.jpg').read()
    assert [sample['__key__'] for sample in samples] == ['000000000', '000000001']
    assert samples[1]['05.jpg'] == image


@pytest.mark.parametrize(('short_side', 'tolerance'), [(0, 2), (32, 3)])
def test_frames_are_those_of_the_files(short_side, tolerance, source, tmp_path):
    """As many as stored: the same places in the video, and colours within the JPEG's error."""
    make_shards(source, str(tmp_path / 'out'), ShardSettings(frames=6, short_side=short_side))
    dataset = build(tmp_path / 'out', read(6, test_mode=True), test_mode=True)
    assert len(dataset) == 4
    for index, name in enumerate(name for name in NAMES if name != 'c.mp4'):
        ours = dataset[index]
        theirs = ReadFrames(6, test_mode=True)(
            dict(filename=str(tmp_path / 'videos' / name), video_id=name))
        assert ours['frame_inds'].tolist() == theirs['frame_inds'].tolist()
        assert set(theirs) - {'avg_fps'} <= set(ours)
        assert ours['captions'] == [name, 'é'] and ours['video_id'] == name
        assert ours['img_shape'] == ours['imgs'][0].shape[:2]
        assert ours['imgs'][0].shape[0] == (short_side or 48)
        for mine, other in zip(ours['imgs'], theirs['imgs']):
            other = cv2.resize(other, mine.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.abs(mine.astype(int) - other).max() <= tolerance


def test_colours_and_detail(tmp_path):
    """A picture of red, green and blue in a gradient comes back as it was, red first."""
    (tmp_path / 'videos').mkdir()
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    bgr = np.stack(np.broadcast_arrays(ramp[:48, None], ramp[None, ::-1], np.uint8(90)), -1)
    cv2.imwrite(str(tmp_path / 'videos' / 'a.png'), bgr)
    (tmp_path / 'ann.json').write_text('{"a.png": ["x"]}')
    source = CaptionedVideos(ann_file=str(tmp_path / 'ann.json'), pipeline=[],
                             data_prefix=dict(video=str(tmp_path / 'videos')))
    make_shards(source, str(tmp_path / 'out'), SETTINGS)
    imgs = build(tmp_path / 'out', read(3))[0]['imgs']
    expected = cv2.resize(bgr[..., ::-1], (43, 32), interpolation=cv2.INTER_AREA)
    assert len(imgs) == 3 and np.abs(imgs[0].astype(int) - expected).mean() < 3


def test_training_takes_the_nearest_to_what_readframes_draws(shards, tmp_path):
    dataset = build(shards, read(4))
    stored = dataset.data_list[0]['stored_inds']
    drawn = []
    for seed in range(20):
        np.random.seed(seed)
        ours = dataset[0]['frame_inds']
        np.random.seed(seed)
        theirs = ReadFrames(4)(dict(filename=str(tmp_path / 'videos' / 'a.mp4')))['frame_inds']
        assert np.abs(ours - theirs).max() <= 2 and set(ours) <= set(stored)
        assert (np.diff(ours) >= 0).all()
        drawn.append(tuple(ours))
    assert len(set(drawn)) > 5


def test_any_order_and_the_rest_of_an_epoch(shards):
    dataset = build(shards, read(2))
    sampler = ResumableSampler(dataset, shuffle=True, seed=0)
    sampler.begin(seed=1, epoch=0, skipped=0)
    whole = [dataset[index] for index in sampler]
    assert sorted(sample['video_id'] for sample in whole) == ['a.mp4', 'b.mp4', 'd.mp4', 'e.mp4']
    sampler.begin(seed=1, epoch=0, skipped=2)
    for again, before in zip([dataset[index] for index in sampler], whole[2:]):
        assert again['video_id'] == before['video_id']
        assert np.array_equal(again['imgs'], before['imgs'])


def test_finished_shards_are_kept_and_others_made_again(source, shards):
    whole = contents(shards)
    (shards / 'shard-000000.tar').write_bytes(b'cut')
    (shards / 'shard-000001.json').unlink()
    kept = (shards / 'shard-000002.tar').stat().st_ino
    make_shards(source, str(shards), SETTINGS)
    assert contents(shards) == whole and (shards / 'shard-000002.tar').stat().st_ino == kept
    damaged = bytearray(whole['shard-000002.tar'])
    damaged[700] ^= 255
    (shards / 'shard-000002.tar').write_bytes(damaged)
    make_shards(source, str(shards), SETTINGS, verify=True)
    assert contents(shards) == whole


def test_a_killed_run_goes_on(make_video, tmp_path):
    """Killed with its workers at work: no half shard, and the end is that of a run in peace."""
    for number in range(16):
        make_video(tmp_path / 'videos' / f'{number}.mp4', num_frames=17, size=(640, 480))
    captions = {f'{number}.mp4': ['x'] for number in range(16)}
    (tmp_path / 'ann.json').write_text(json.dumps(captions))

    def work():
        main(['prepare', 'shards', str(tmp_path / 'war'), '--ann-file', str(tmp_path / 'ann.json'),
              '--form', 'dict', '--videos', str(tmp_path / 'videos'), '--clips', '2', '--workers',
              '2'])

    run = fork(work)
    end = time.monotonic() + 60
    while len(list((tmp_path / 'war').glob('shard-*.tar'))) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    kill_group(run)
    assert not (tmp_path / 'war' / 'manifest.json').exists()
    for path in (tmp_path / 'war').glob('shard-*.tar'):
        assert len(tarfile.open(path).getnames()) == 2 * 17
    code, lines = run_limited(work)
    assert code == '0', lines
    assert '16 clips in 8 shards' in lines[-1] and '0 broken' in lines[-1]
    source = CaptionedVideos(ann_file=str(tmp_path / 'ann.json'), pipeline=[],
                             data_prefix=dict(video=str(tmp_path / 'videos')))
    make_shards(source, str(tmp_path / 'peace'), ShardSettings(clips=2))
    assert contents(tmp_path / 'war') == contents(tmp_path / 'peace')


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
