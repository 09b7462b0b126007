"""Frames near the sampled ones: how near, what they show, and when the exact way serves."""
import decord
import numpy as np
import pytest

from mmbt.benchmark.data_clips import write_clip
from mmbt.datasets import ReadFrames, VideoReadError
from mmbt.datasets.transforms import near_frames as module


@pytest.fixture(scope='module', params=[250, 10])
def clip(request, tmp_path_factory):
    """A clip of 60 frames whose key frames are the first alone, or every tenth."""
    return write_clip(tmp_path_factory.mktemp('clips') / 'a.mp4', group=request.param, seconds=2,
                      size=(128, 96))


def read(path, seed, **kwargs):
    """A training sample, and the random number drawn after it."""
    np.random.seed(seed)
    results = ReadFrames(4, **kwargs)(dict(filename=str(path)))
    return results, np.random.rand()


@pytest.mark.parametrize('max_offset', [1, 3, 8])
def test_frames_are_near_and_are_what_they_say(clip, max_offset):
    decoded = decord.VideoReader(str(clip)).get_batch(range(60)).asnumpy().astype(int)
    differ = 0
    for seed in range(6):
        (exact, after), (near, then) = read(clip, seed), read(clip, seed, max_offset=max_offset)
        assert after == then and set(near) == set(exact) and near['total_frames'] == 60
        assert near['img_shape'] == (96, 128)
        assert np.abs(near['frame_inds'] - exact['frame_inds']).max() <= max_offset
        assert near['frame_inds'].dtype == exact['frame_inds'].dtype
        differ += (near['frame_inds'] != exact['frame_inds']).sum()
        for index, img in zip(near['frame_inds'], near['imgs']):
            assert np.abs(img - decoded[index]).mean() < 1
        again, _ = read(clip, seed, max_offset=max_offset)
        assert np.array_equal(near['frame_inds'], again['frame_inds'])
        assert all(np.array_equal(a, b) for a, b in zip(near['imgs'], again['imgs']))
    assert differ > 0


def test_key_frames_alone_where_all_are_near(tmp_path):
    path = write_clip(tmp_path / 'a.mp4', group=10, seconds=2, size=(128, 96))
    near, _ = read(path, 0, max_offset=9)
    assert set(near['frame_inds'] % 10) == {0}


def test_the_exact_way_serves_what_cannot_be_read_so(clip, make_video, broken_videos, monkeypatch):
    folder, reasons = broken_videos
    for name in reasons:
        with pytest.raises(VideoReadError, match=name):
            read(folder / name, 0, max_offset=4)
    path = make_video(folder / 'whole.avi', codec='MJPG')
    assert read(path, 0, max_offset=1)[0]['total_frames'] == 12
    monkeypatch.setattr(module, '_decode', lambda *args: {})
    (exact, after), (near, then) = read(clip, 0), read(clip, 0, max_offset=4)
    assert after == then and (near['frame_inds'] == exact['frame_inds']).all()
    with pytest.raises(VideoReadError, match='too large'):
        read(clip, 0, max_offset=4, max_pixels=1000)


@pytest.mark.parametrize('arguments', [
    dict(max_offset=-1), dict(max_offset=2, test_mode=True), dict(max_offset=2, cache=True)])
def test_it_is_for_training_alone(arguments):
    with pytest.raises(ValueError, match='max_offset must be 0 or more'):
        ReadFrames(4, **arguments)
