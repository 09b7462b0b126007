"""Several views of a video: their frames, their crops, and the mean of their features."""
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch.nn.functional import normalize

import mmbt  # noqa: F401
from mmbt.datasets import ReadFrames

from ..support.tiny import FRAMES, TINY, build_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    """21 frames of 32 x 40, frame i grey of 10 i and brighter to the right."""
    ramp = np.arange(40, dtype=np.uint8)[None, :, None]
    for index in range(21):
        frame = np.full((32, 40, 3), 10 * index, np.uint8) + ramp
        cv2.imwrite(str(tmp_path / f'img_{index:05d}.png'), frame)
    return tmp_path


def test_clips_lie_one_beside_the_other(folder):
    """21 frames, T = 2: seg = 10; with N = 4 clips, clip k takes 0 and 10, plus int(10 k / 5)."""
    read = ReadFrames(2, test_mode=True, num_clips=4)
    results = read(dict(filename=str(folder)))
    assert results['frame_inds'].tolist() == [2, 12, 4, 14, 6, 16, 8, 18]
    assert [img[0, 0, 0] for img in results['imgs']] == [20, 120, 40, 140, 60, 160, 80, 180]
    still = read(dict(filename=str(folder / 'img_00003.png')))
    assert len(still['imgs']) == 8 == len(read.blank({})['imgs'])
    for arguments in (dict(num_clips=0, test_mode=True), dict(num_clips=2)):
        with pytest.raises(ValueError, match='num_clips must be at least 1, and 1 in training'):
            ReadFrames(2, **arguments)


def test_views_of_clips_and_crops(folder):
    """Three crops of 32 columns begin at column 0, 8 and 4; each has both clips."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose([TRANSFORMS.build(step) for step in (
            dict(type='ReadFrames', num_frames=2, num_clips=2, test_mode=True),
            dict(type='ThreeCrop', crop_size=32), dict(type='FormatShape', input_format='NCHW'),
            dict(type='PackVideoText'))])
    imgs = pipeline(dict(filename=str(folder), video_id='a'))['inputs']['imgs']
    assert imgs.shape == (6, 2, 3, 32, 32)
    # seg = 10, int(10 k / 3): clips of frames 3, 13 and 6, 16
    assert imgs[:, :, 0, 0, 0].tolist() == [
        [30, 130], [60, 160], [38, 138], [68, 168], [34, 134], [64, 164]]


@torch.no_grad()
def test_features_of_views_are_averaged():
    model = build_model(dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)).eval()
    dtype = next(model.parameters()).dtype
    size = TINY['vision_cfg']['image_size']
    imgs = torch.randn(2, 3, FRAMES, 3, size, size, dtype=dtype)
    expected = torch.stack([normalize(model.encode_video(imgs[:, view]), dim=-1)
                            for view in range(3)]).mean(0)
    torch.testing.assert_close(model.encode_video(imgs), expected)
    samples = model(dict(imgs=imgs), [ActionDataSample() for _ in range(2)], mode='predict')
    torch.testing.assert_close(samples[1].video_feature, expected[1])
    one = model.encode_video(imgs[:, :1])
    torch.testing.assert_close(one, normalize(model.encode_video(imgs[:, 0]), dim=-1))


def test_a_config_of_views(tmp_path):
    """As in docs/data.md."""
    path = tmp_path / 'ucf101_views.py'
    path.write_text(
        f"_base_ = ['{ROOT / 'configs' / 'zeroshot_ucf101.py'}']\n"
        'read_frames = dict(_base_.read_frames, num_clips=4)\n'
        "three_crop = dict(type='ThreeCrop', crop_size=224)\n"
        'test_pipeline = [read_frames, _base_.resize, three_crop, _base_.format_shape, '
        '_base_.pack]\n'
        'test_dataloader = dict(batch_size=1, dataset=dict(pipeline=test_pipeline))\n')
    config = Config.fromfile(path)
    for index in range(5):
        cv2.imwrite(str(tmp_path / f'img_{index}.jpg'), np.full((48, 64, 3), 90, np.uint8))
    with DefaultScope.overwrite_default_scope('mmaction'):
        pipeline = Compose([TRANSFORMS.build(step)
                            for step in config.test_dataloader.dataset.pipeline])
    imgs = pipeline(dict(filename=str(tmp_path), video_id='a', label=0))['inputs']['imgs']
    assert imgs.shape == (12, 16, 3, 224, 224) and config.test_dataloader.batch_size == 1
