"""Videos that cannot be read: what is refused, and what stands for them in an evaluation."""
import contextlib
import copy
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmbt.datasets import ReadFrames, VideoReadError
from mmbt.datasets.broken_videos import SharedMarks
from mmbt.reading import video

from .test_recognition import build as build_labelled
from .test_video_text import TEST, build

NOBODY = 65534


@contextlib.contextmanager
def as_nobody():
    """Be a user without rights, where the tests run as root."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_a_file_that_may_not_be_read(make_video):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = make_video(Path(folder, 'a.mp4'))
        path.chmod(0)
        with as_nobody(), pytest.raises(VideoReadError) as error:
            ReadFrames(num_frames=2)(dict(filename=str(path)))
        assert str(error.value) == f'{path} cannot be read: Permission denied'


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / 'pipe.mp4')
    (tmp_path / 'link.mp4').symlink_to(tmp_path / 'nowhere.mp4')
    (tmp_path / 'loop.mp4').symlink_to(tmp_path / 'loop.mp4')
    (tmp_path / 'device.mp4').symlink_to('/dev/zero')
    for name in ('pipe', 'link', 'loop', 'device'):
        with pytest.raises(VideoReadError, match=rf'{name}\.mp4 is no file, or a link to none'):
            ReadFrames(num_frames=2)(dict(filename=str(tmp_path / f'{name}.mp4')))


@pytest.mark.parametrize('codec, suffix', [('mp4v', 'mp4'), ('MJPG', 'avi')])
def test_limit_on_the_pixels_of_a_video(make_video, tmp_path, codec, suffix):
    """Three frames of 64 x 48 are 9,216 pixels; the clip's own number of frames is no matter."""
    path = str(make_video(tmp_path / f'a.{suffix}', codec=codec))
    assert len(ReadFrames(3, max_pixels=9216)(dict(filename=path))['imgs']) == 3
    with pytest.raises(VideoReadError, match=r'too large: 3 frames of 64 x 48 are 9,216 pixels '
                                             'and max_pixels is 9,215'):
        ReadFrames(3, max_pixels=9215)(dict(filename=path))
    assert len(ReadFrames(300, max_pixels=None)(dict(filename=path))['imgs']) == 300


def test_the_cache_holds_every_frame(make_video, tmp_path):
    path = str(make_video(tmp_path / 'a.mp4'))
    ReadFrames(1, cache=True, max_pixels=12 * 64 * 48)(dict(filename=path))
    with pytest.raises(VideoReadError, match='too large: 12 frames of 64 x 48'):
        ReadFrames(1, cache=True, max_pixels=12 * 64 * 48 - 1)(dict(filename=path))


def test_limit_on_the_pixels_of_an_image(tmp_path):
    """The second unpacks to 1.2 GB, from less than 100 kB; the default limit refuses it."""
    path = str(tmp_path / 'a.png')
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(path)
    assert len(ReadFrames(5, max_pixels=64 * 48)(dict(filename=path))['imgs']) == 5
    with pytest.raises(VideoReadError, match='too large: 1 frames of 64 x 48'):
        ReadFrames(5, max_pixels=64 * 48 - 1)(dict(filename=path))
    path = tmp_path / 'bomb.png'
    Image.new('1', (20000, 20000)).save(path)
    assert path.stat().st_size < 1e5
    with pytest.raises(VideoReadError, match=r'bomb\.png is too large'):
        ReadFrames(1)(dict(filename=str(path)))


def test_a_refused_video_is_not_decoded(make_video, tmp_path, monkeypatch):
    path = str(make_video(tmp_path / 'a.mp4'))
    monkeypatch.setattr(video, 'Feeder', lambda *_: pytest.fail('decoded'))
    with pytest.raises(VideoReadError, match='too large'):
        ReadFrames(1, max_pixels=1, isolated=False)(dict(filename=path))


def test_blank_samples_stand_for_broken_videos(make_video, broken_videos):
    folder, reasons = broken_videos
    make_video(folder / 'good.mp4')
    captions = {name: ['one', 'two'] for name in [*reasons, 'good.mp4']}
    dataset = build(folder, captions, TEST, test_mode=True, on_broken='skip')
    good = dataset[len(reasons)]
    assert 'broken' not in good['data_samples'] and good['inputs']['imgs'].any()
    for index, (name, reason) in enumerate(reasons.items()):
        blank = dataset[index]
        sample = blank['data_samples']
        assert name in sample.broken and reason in sample.broken
        assert (sample.video_id, sample.captions) == (name, ['one', 'two'])
        assert not blank['inputs']['imgs'].any()
        for key, value in good['inputs'].items():
            assert blank['inputs'][key].shape == value.shape
            assert blank['inputs'][key].dtype == value.dtype
        assert torch.equal(blank['inputs']['tokens'], good['inputs']['tokens'])
    assert dataset.num_broken == 0


def test_blank_samples_have_no_label(make_video, tmp_path):
    make_video(tmp_path / 'a.mp4')
    dataset = build_labelled(tmp_path, 'a.mp4 1\ngone.mp4 1\n', on_broken='skip')
    assert dataset[0]['data_samples'].gt_label.tolist() == [1]
    assert 'gt_label' not in dataset[1]['data_samples']
    assert dataset[1]['data_samples'].broken.endswith('gone.mp4 is missing')


def test_evaluation_fails_unless_it_is_told_to_go_on(tmp_path):
    dataset = build_labelled(tmp_path, 'gone.mp4 1\n')
    with pytest.raises(VideoReadError, match=r'gone\.mp4 is missing; to score the other videos, '
                                             r"set on_broken='skip' in the dataset$"):
        dataset[0]
    with pytest.raises(ValueError, match="on_broken must be 'fail' or 'skip', got 'ignore'"):
        build_labelled(tmp_path, 'gone.mp4 1\n', on_broken='ignore')


def test_training_skips_whatever_evaluation_does(make_video, tmp_path):
    make_video(tmp_path / 'good.mp4')
    dataset = build(tmp_path, {'gone.mp4': ['x'], 'good.mp4': ['y']}, on_broken='fail')
    assert dataset[0]['data_samples'].video_id == 'good.mp4' and dataset.num_broken == 1


def test_lazy_data_sets_count_too(make_video, tmp_path):
    make_video(tmp_path / 'good.mp4')
    dataset = build(tmp_path, {'gone.mp4': ['x'], 'good.mp4': ['y']}, lazy_init=True)
    assert dataset.num_broken == 0
    dataset[0]
    assert dataset.num_broken == 1


def test_marks():
    marks = SharedMarks(4)
    assert [marks.set(2, True), marks.set(2, True), marks.set(3, True)] == [True, False, True]
    copied = copy.deepcopy(marks)
    assert copied._cells.is_shared() and copied.set(2, False)
    assert (marks.total(), copied.total()) == (2, 1)
