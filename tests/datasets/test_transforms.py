"""Reading, tokenizing and packing: values, truncation, and broken files."""
import contextlib
import os

import cv2
import numpy as np
import open_clip
import pytest
import torch
from mmaction.datasets.transforms import UniformSample
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from mmbt.datasets import PackVideoText, ReadFrames, TokenizeText, VideoReadError
from mmbt.datasets.transforms import reading
from mmbt.reading import process

START, END = 49406, 49407


def test_test_frames_are_segment_centres(make_video, tmp_path):
    """12 frames, 4 wanted: seg = 11/4 = 2.75, int(seg/2) = 1; round(0, 2.75, 5.5, 8.25) + 1.

    Python and numpy round 5.5 to 6, so the frames are 1, 4, 7, 9, whose grey is 15 times that.
    """
    path = make_video(tmp_path / 'a.mp4')
    results = ReadFrames(num_frames=4, test_mode=True)(dict(filename=str(path)))
    assert results['frame_inds'].tolist() == [1, 4, 7, 9]
    assert [img.shape for img in results['imgs']] == [(48, 64, 3)] * 4
    np.testing.assert_allclose([img.mean() for img in results['imgs']], [15, 60, 105, 135], atol=7)
    assert results['total_frames'] == 12 and results['img_shape'] == (48, 64)
    assert 'video_reader' not in results


def test_training_draws_one_frame_from_each_segment(make_video, tmp_path):
    """12 frames, 2 wanted: seg = 5.5, so the first lies in 0..6 and the second in 6..11."""
    read = ReadFrames(num_frames=2)
    path = make_video(tmp_path / 'a.avi', codec='MJPG')
    np.random.seed(0)
    drawn = [read(dict(filename=str(path)))['frame_inds'] for _ in range(30)]
    first, second = np.array(drawn).T
    assert first.min() >= 0 and first.max() <= 6 and len(set(first)) > 2
    assert second.min() >= 6 and second.max() <= 11 and len(set(second)) > 2
    np.random.seed(0)
    assert (read(dict(filename=str(path)))['frame_inds'] == drawn[0]).all()


def test_channels_are_rgb(tmp_path):
    blue_in_bgr = np.zeros((20, 30, 3), np.uint8)
    blue_in_bgr[..., 0] = 200
    cv2.imwrite(str(tmp_path / 'still.PNG'), blue_in_bgr)
    results = ReadFrames(num_frames=3, test_mode=True)(dict(filename=str(tmp_path / 'still.PNG')))
    assert len(results['imgs']) == 3 and results['total_frames'] == 1
    assert results['img_shape'] == (20, 30)
    for img in results['imgs']:
        assert (img == np.array([0, 0, 200])).all()


def test_broken_files_are_named_with_the_reason(broken_videos):
    folder, reasons = broken_videos
    for name, reason in reasons.items():
        with pytest.raises(VideoReadError) as error:
            ReadFrames(num_frames=2)(dict(filename=str(folder / name)))
        assert str(folder / name) in str(error.value) and reason in str(error.value)
        assert '\n' not in str(error.value)


def test_programming_errors_are_not_reading_errors(make_video, tmp_path, monkeypatch):
    path = make_video(tmp_path / 'a.mp4')

    def fail(*args, **kwargs):
        raise TypeError('a bug')

    monkeypatch.setattr(reading, 'read_frames', fail)
    with pytest.raises(TypeError, match='a bug'):
        ReadFrames(num_frames=2, isolated=False)(dict(filename=str(path)))
    monkeypatch.setattr(UniformSample, 'transform', fail)
    with pytest.raises(TypeError, match='a bug'):
        ReadFrames(num_frames=2)(dict(filename=str(path)))


def test_files_are_closed(make_video, broken_videos, tmp_path):
    path = make_video(tmp_path / 'a.mp4')
    folder, reasons = broken_videos
    for name in [path, *(folder / name for name in reasons)]:
        for isolated in (True, False):
            with contextlib.suppress(VideoReadError):
                ReadFrames(num_frames=2, isolated=isolated)(dict(filename=str(name)))
    for pid in (os.getpid(), process._process().popen.pid):
        fds = [f'/proc/{pid}/fd/{fd}' for fd in os.listdir(f'/proc/{pid}/fd')]
        opened = [os.readlink(fd) for fd in fds if os.path.islink(fd)]
        assert opened and not any(str(tmp_path) in name for name in opened)


def test_tokens_of_a_short_caption():
    results = TokenizeText(8, caption='all')(dict(captions=['a red ball', 'a'], video_id='v'))
    expected = open_clip.get_tokenizer('ViT-L-14')(['a red ball', 'a'], context_length=8)
    assert results['tokens'].dtype == torch.int64 and results['tokens'].shape == (2, 8)
    assert torch.equal(results['tokens'], expected)
    assert results['tokens'][1].tolist() == [START, 320, END, 0, 0, 0, 0, 0]


def test_truncation_keeps_the_end_of_text():
    tokens = TokenizeText(5, caption='all')(dict(captions=['ball ' * 90], video_id='v'))['tokens']
    ball = TokenizeText(3, caption='all')(dict(captions=['ball'], video_id='v'))['tokens'][0, 1]
    assert tokens[0].tolist() == [START, ball, ball, ball, END]


def test_architecture_dict_and_name_share_the_clip_tokenizer():
    sample = dict(captions=['a man runs'], video_id='v')
    named = TokenizeText(16, arch='ViT-B-16')(dict(sample))['tokens']
    given = TokenizeText(16, arch=dict(embed_dim=8, text_cfg=dict(width=8)))(dict(sample))['tokens']
    assert torch.equal(named, given)
    with pytest.raises(ValueError, match='ViT-Z-99'):
        TokenizeText(16, arch='ViT-Z-99')


def test_one_random_caption_follows_the_seed():
    tokenize = TokenizeText(8)
    captions = [f'caption {i}' for i in range(10)]

    def draw(seed):
        np.random.seed(seed)
        return [tokenize(dict(captions=captions, video_id='v'))['captions'] for _ in range(5)]

    assert draw(3) == draw(3) and draw(3) != draw(4)
    assert all(len(chosen) == 1 and chosen[0] in captions for chosen in draw(3))
    assert len({chosen[0] for chosen in draw(3)}) > 1


@pytest.mark.parametrize(('captions', 'message'), [
    ([None], "a caption of video 'v.mp4' is not text: None"), ([], "'v.mp4' has no caption")])
def test_caption_that_is_not_text(captions, message):
    with pytest.raises(ValueError, match=message):
        TokenizeText(8)(dict(captions=captions, video_id='v.mp4'))


@pytest.mark.parametrize('arguments', [
    dict(context_length=2), dict(context_length=8, caption='first')])
def test_bad_tokenizer_arguments(arguments):
    with pytest.raises(ValueError, match='TokenizeText'):
        TokenizeText(**arguments)


def test_packing_keeps_values_and_meta():
    imgs = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 5), dtype=np.uint8)
    packed = PackVideoText()(dict(imgs=imgs, tokens=torch.arange(6).view(2, 3), label=4,
                                  captions=['a', 'b'], video_id='v', filename='d/v.mp4'))
    assert torch.equal(packed['inputs']['imgs'], torch.from_numpy(imgs))
    assert packed['inputs']['imgs'].dtype == torch.uint8
    assert packed['inputs']['tokens'].tolist() == [[0, 1, 2], [3, 4, 5]]
    sample = packed['data_samples'].to_dict()
    assert sample['gt_label'].tolist() == [4]
    assert (sample['video_id'], sample['filename']) == ('v', 'd/v.mp4')
    assert (sample['captions'], sample['num_captions']) == (['a', 'b'], 2)


def test_packing_leaves_out_what_is_absent():
    packed = PackVideoText()(dict(imgs=np.zeros((1, 3, 2, 2), np.uint8), video_id='v'))
    assert set(packed['inputs']) == {'imgs'}
    assert set(packed['data_samples'].to_dict()) == {'video_id'}


def test_centre_crop_after_the_short_side(make_video, tmp_path):
    """A frame of 64 x 48 becomes 32 high and 43 wide; the crop takes columns 5 to 37 of 43."""
    path = make_video(tmp_path / 'a.mp4')
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose([TRANSFORMS.build(step) for step in (
            dict(type='ReadFrames', num_frames=3, test_mode=True),
            dict(type='Resize', scale=(-1, 32)), dict(type='CenterCrop', crop_size=32),
            dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText'))])
    imgs = pipeline(dict(filename=str(path)))['inputs']['imgs']
    assert imgs.shape == (3, 3, 32, 32)
    raw = ReadFrames(num_frames=3, test_mode=True)(dict(filename=str(path)))['imgs']
    resized = np.stack([cv2.resize(img, (43, 32)) for img in raw])[:, :, 5:37]
    assert np.array_equal(imgs.numpy(), resized.transpose(0, 3, 1, 2))
