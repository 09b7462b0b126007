"""The card in a run: pipelines follow it, checkpoints carry it, and another CLIP is refused."""
import json

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmbt.files.source import CARD
from mmbt.models.card import ModelCard

from ..configs.layouts import ROOT, RUNNABLE, TUNINGS
from ..search.search_world import write_clip
from ..support.tiny_words import CAPTIONS, arch_of, save_words

pytestmark = pytest.mark.slow

PIPELINE = [
    dict(type='ReadFrames', num_frames=2, test_mode=True), dict(type='Resize', scale=(-1, 12)),
    dict(type='CenterCrop', crop_size=12), dict(type='TokenizeText', context_length=8),
    dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """A folder with three captioned videos and a tokenizer of their words."""
    folder = tmp_path_factory.mktemp('world')
    for number in range(len(CAPTIONS)):
        write_clip(folder / f'{number}.mp4', number)
    (folder / 'captions.json').write_text(
        json.dumps({f'{number}.mp4': [text] for number, text in enumerate(CAPTIONS)}))
    save_words(folder / 'words')
    return folder


def config(world, work_dir, *steps, **change):
    """A run of one epoch and its test, with the hooks that every config inherits."""
    loader = dict(
        batch_size=3, num_workers=1, sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='CaptionedVideos', ann_file=str(world / 'captions.json'),
                     data_prefix=dict(video=str(world)), pipeline=list(steps or PIPELINE)))
    base = Config.fromfile(ROOT / 'configs/_base_/default_runtime.py')
    base.merge_from_dict(dict(
        model=dict(type='VideoTextModel',
                   trunk=dict(type='OpenCLIPTrunk', arch=arch_of(world / 'words'),
                              preprocess_cfg=dict(mean=[0.5] * 3, resize_mode='shortest')),
                   backbone=dict(type='BTAdapter', num_layers=2, num_frames=2),
                   heads=[dict(type='VTCHead', temperature=0.1)]),
        work_dir=str(work_dir), launcher='none', log_level='WARNING', train_dataloader=loader,
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)), randomness=dict(seed=0),
        test_dataloader=loader, test_cfg=dict(type='TestLoop'),
        test_evaluator=dict(type='VideoTextRetrieval')))
    base.merge_from_dict(change)
    return base


def run(method, *args, **kwargs):
    return getattr(Runner.from_cfg(config(*args, **kwargs)), method)()


@pytest.fixture(scope='module')
def epoch(world, tmp_path_factory):
    """The checkpoint of the run, with averaged weights and the branch's own file beside it."""
    work_dir = tmp_path_factory.mktemp('run')
    run('train', world, work_dir, custom_hooks=[
        dict(type='EMAHook', ema_type='ExponentialMovingAverage'), dict(type='BranchFileHook')])
    return work_dir / 'epoch_1.pth'


def test_a_run_writes_its_card_and_a_test_takes_it(epoch, world, tmp_path):
    """In the workers captions became ids of the trunk's own tokenizer: with CLIP's it stops."""
    checkpoint = torch.load(epoch, weights_only=False)
    card = ModelCard.from_dict(checkpoint['meta'][CARD])
    assert card.tokenizer == 'words clean=canonicalize' and card.mean == (0.5, 0.5, 0.5)
    assert (card.num_frames, card.temperature, card.text_pooling) == (2, 0.1, 'eos')
    branch = torch.load(epoch.with_name('branch_epoch_1.pth'), weights_only=True)
    assert branch['meta'][CARD] == checkpoint['meta'][CARD]
    metrics = run('test', world, tmp_path, load_from=str(epoch))
    assert 'retrieval/t2v_R1' in metrics


GELU = ({'model.trunk.arch.quick_gelu': False},
        'epoch_1.pth was made beside quick-GELU, this config says GELU: set quick_gelu=True')


@pytest.mark.parametrize('method, change, message', [
    ('train', *GELU), ('test', *GELU),
    ('test', {'model.trunk.preprocess_cfg.mean': [0.4, 0.5, 0.5]},
     r'epoch_1.pth was made with mean=\(0.5, 0.5, 0.5\), this config says \(0.4, 0.5, 0.5\): set'),
    ('train', {'model.trunk.preprocess_cfg.resize_mode': 'squash'}, "resized by 'squash'"),
    ('train', {'model.trunk.arch.vision_cfg.image_size': 16}, 'frames of 12 x 12 .* takes 16 x 16'),
    ('test', {'model.trunk.arch.text_cfg.context_length': 6}, 'length=8, .* takes 6 tokens'),
    ('test', {CARD: dict(activation='gelu')}, 'model_card of the config was made beside GELU'),
])
def test_another_clip_is_refused_in_a_line_at_the_start(method, change, message, epoch, world,
                                                        tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        run(method, world, tmp_path, load_from=str(epoch), **change)
    assert '\n' not in str(error.value)


def test_a_pipeline_of_another_tokenizer_is_refused_at_the_start(world, tmp_path):
    steps = [*PIPELINE[:3], dict(PIPELINE[3], arch='ViT-B-16'), *PIPELINE[4:]]
    with pytest.raises(ValueError, match="TokenizeText says arch='ViT-B-16', whose tokenizer is"):
        run('train', world, tmp_path, *steps)


def test_every_run_has_the_hook():
    """Whatever hooks a config sets besides."""
    for path in (*RUNNABLE, *TUNINGS):
        hooks = Config.fromfile(path).default_hooks
        assert hooks.get('model_card') == dict(type='ModelCardHook'), path
