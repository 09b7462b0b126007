"""Shards: what is written, what is read back, kills."""
import json
import tarfile
import time

import cv2
import numpy as np
import pytest
import webdataset

from mmbt.cli import main
from mmbt.datasets import CaptionedVideos, ReadFrames
from mmbt.datasets.shards.settings import ShardSettings
from mmbt.datasets.shards.write import finished, make_shards
from mmbt.engine import ResumableSampler

from ..support.forked import fork, kill_group, run_limited
from .shards_world import (
    NAMES,
    SETTINGS,
    build,
    contents,
    read,
)

pytestmark = pytest.mark.slow


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
