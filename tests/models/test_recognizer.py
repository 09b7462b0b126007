"""MMAction2's own inference with our recognition: no Runner, no hook, nobody sets the classes."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import MMAction2Inferencer, inference_recognizer, init_recognizer
from mmengine.config import Config
from mmengine.dataset import Compose

from mmbt.apis import init_model
from mmbt.models.tokenizer import tokenize

from ..search.search_world import ARCH, write_clip
from ..support.tiny import stir

K400 = Path(__file__).parents[2] / 'configs/zeroshot_k400.py'
NAMES = ['abseiling', 'air drumming', 'zumba']
# The full-size config of recognition, its sizes made tiny.
OURS = f"""_base_ = [{str(K400)!r}]
model = dict(
    trunk=dict(arch=dict(_delete_=True, **{ARCH!r}), pretrained=None),
    backbone=dict(num_layers=3, num_frames=4),
    cls_head=dict(class_file='classes.txt', temperature=1.0))
read_frames = dict(_base_.read_frames, num_frames=4)
resize = dict(_base_.resize, scale=(-1, 12))
center_crop = dict(_base_.center_crop, crop_size=12)
to_batch = [resize, center_crop, _base_.format_shape, _base_.pack]
test_pipeline = [read_frames, *to_batch]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
# The same read by MMAction2's own transforms, whose reader its inferencers put in.
THEIRS = OURS + """
test_pipeline = [
    dict(type='OpenCVInit'),
    dict(type='UniformSample', clip_len=4, num_clips=1, test_mode=True),
    dict(type='OpenCVDecode'), *to_batch]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with two configs, a checkpoint, the class names and two clips."""
    path = tmp_path_factory.mktemp('recognizer')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(path)
        Path('ours.py').write_text(OURS)
        Path('theirs.py').write_text(THEIRS)
        Path('classes.txt').write_text('\n'.join(NAMES) + '\n')
        torch.manual_seed(0)
        model = init_model('ours.py')
        stir(model.backbone)
        torch.save(dict(state_dict=model.state_dict()), 'weights.pth')
        for seed in (0, 1):
            write_clip(path / f'{seed}.mp4', seed)
    return path


@pytest.fixture(autouse=True)
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


def expected(clip):
    """By hand: frames, the model's two embeddings, and the softmax of their cosines."""
    config = Config.fromfile('ours.py')
    model = init_model(config, 'weights.pth')
    data = Compose(config.test_dataloader.dataset.pipeline)(dict(filename=clip))
    imgs = model.data_preprocessor(dict(inputs=dict(imgs=[data['inputs']['imgs']])))
    with torch.no_grad():
        video = model.encode_video(imgs['inputs']['imgs'])
        names = model.encode_text(tokenize(NAMES, 12))
    return torch.softmax(torch.cosine_similarity(video, names), dim=0)


@pytest.mark.parametrize('config', ['ours.py', 'theirs.py'])
def test_inference_recognizer(config):
    model = init_recognizer(config, 'weights.pth', device='cpu')
    found = [inference_recognizer(model, clip) for clip in ('0.mp4', '1.mp4')]
    for sample, clip in zip(found, ('0.mp4', '1.mp4')):
        torch.testing.assert_close(sample.pred_score, expected(clip))
        assert sample.pred_label.item() == sample.pred_score.argmax()
    assert (found[0].pred_score - found[1].pred_score).abs().max() > 1e-3


@pytest.mark.parametrize('config', ['ours.py', 'theirs.py'])
def test_mmaction2_inferencer(config, capsys):
    inferencer = MMAction2Inferencer(config, 'weights.pth', device='cpu')
    steps = [type(step).__name__ for step in inferencer.actionrecog_inferencer.pipeline.transforms]
    assert steps[:2] == ['InferencerPackInput', 'DecordInit']
    assert ('DecordDecode' in steps) == (config == 'theirs.py')
    out = inferencer(['0.mp4', '1.mp4'], batch_size=2, pred_out_file='out.json')
    for each, clip in zip(out['predictions'], ('0.mp4', '1.mp4')):
        scores = expected(clip)
        np.testing.assert_allclose(each['rec_scores'], [scores.tolist()], rtol=1e-4, atol=1e-6)
        assert each['rec_labels'] == [[int(scores.argmax())]]
    assert json.loads(Path('out.json').read_text())['predictions'] == out['predictions']


def test_a_missing_checkpoint_is_said_in_one_line():
    """MMAction2's inferencer reads it before it builds the model."""
    with pytest.raises(FileNotFoundError, match='no.pth'):
        MMAction2Inferencer('ours.py', 'no.pth', device='cpu')
