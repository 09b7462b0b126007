"""The configs of instruction tuning: each builds with tiny models and has the paper's settings."""
import json

import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.registry import DefaultScope

from mmbt.apis import init_dialogue, save_branch
from mmbt.models import BTAdapter, HuggingFaceTrunk

from ..conversation.models.folders import clip_folder, llava_v1_folder
from .layouts import ROOT, TUNINGS, lay_out, load, read_config
from .test_dialogue import cut_to

# Correctness and Temporal, of Table 3 (FT) and of Table 1.
PAPER = {'tune_llava_7b': (2.68, 2.34), 'tune_llava_7b_scratch': (2.55, 2.26),
         'tune_llava_7b_frame_mean': (2.38, 1.93), 'tune_llava_7b_st_pooling': (2.40, 1.98),
         'tune_llava_7b_separate_st_frozen': (2.29, 2.01),
         'tune_llava_7b_separate_st': (2.10, 2.13), 'tune_llava_7b_joint_st': (1.92, 2.11)}
# What is trained beside the projector: the branch, a time embedding, CLIP.
TRAINED = {'tune_llava_7b': {'branch', 'balance'}, 'tune_llava_7b_scratch': {'branch', 'balance'},
           'tune_llava_7b_frame_mean': set(), 'tune_llava_7b_st_pooling': set(),
           'tune_llava_7b_separate_st_frozen': {'temporal', 'time_embedding'},
           'tune_llava_7b_separate_st': {'temporal', 'time_embedding', 'trunk'},
           'tune_llava_7b_joint_st': {'time_embedding', 'trunk'}}


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """Tiny models where the configs look for the published ones, and a branch beside that CLIP."""
    monkeypatch.chdir(tmp_path)
    clip_folder(tmp_path / 'clip')
    llava_v1_folder(tmp_path / 'checkpoints/LLaVA-7b-v1')
    branch = BTAdapter(HuggingFaceTrunk('clip'), num_layers=4, num_frames=8)
    save_branch(branch, 'work_dirs/pretrain_webvid/branch_epoch_1.pth')


def build(config):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return MODELS.build(config.model.to_dict())


@pytest.mark.parametrize('path', TUNINGS, ids=lambda path: path.stem)
def test_it_builds_learns_and_talks(path, stand_ins):
    config = read_config(path)
    config.model.dialogue.update(vision='clip', dtype='float32')
    model = build(config)
    names = {name for name, p in model.tuned_parts().named_parameters() if p.requires_grad}
    beside = {name.split('.')[1 if name.startswith('backbone.') else 0] for name in names}
    assert beside == TRAINED[path.stem] | {'projector'}
    assert not any(p.requires_grad for p in model.dialogue.language_model.parameters())
    imgs = torch.randn(2, 2, 3, 12, 12)
    model.loss(imgs, ['what?', 'who is it?'], ['a', 'all of them'])['loss'].backward()
    unread = {name for name, p in model.named_parameters() if p.requires_grad and p.grad is None}
    assert config.get('find_unused_parameters', False) == bool(unread)
    cut_to(config.pipeline, 12)
    talk = init_dialogue(config)
    answer, = talk.generate(imgs[:1], ['what?'], max_new_tokens=2)
    assert isinstance(answer, str) and type(talk).__name__ == 'LLaVAV1Dialogue'


@pytest.mark.parametrize('path', TUNINGS, ids=lambda path: path.stem)
def test_head_says_command_cost_and_result(path):
    lines = path.read_text().splitlines()
    comment = ' '.join(line.strip('# ') for line in lines[:7] if line.startswith('#'))
    assert lines[0] == (f'# mim train mmbt {path.relative_to(ROOT)} --launcher pytorch --gpus 4')
    correct, temporal = PAPER[path.stem]
    assert 'Cost:' in comment and 'ours: not run.' in comment
    assert f"the paper's Correctness {correct:.2f}, Temporal {temporal:.2f}" in comment


def test_every_config_is_in_the_tables():
    assert {path.stem for path in TUNINGS} == set(PAPER) == set(TRAINED)


def test_tuning_has_the_papers_settings():
    """Table 8 and Sec. 4.1; where the paper is silent, the released code's 3 epochs and frames."""
    config = load('dialogue/tune_llava_7b')
    wrapper, optimizer = config.optim_wrapper, config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 2e-5, 0.1)
    assert tuple(optimizer.betas) == (0.9, 0.998)
    assert (wrapper.type, wrapper.dtype) == ('AmpOptimWrapper', 'float16')
    assert config.model.dialogue.dtype == 'float16'
    assert config.train_dataloader.batch_size == 4 and config.auto_scale_lr.base_batch_size == 16
    assert config.train_cfg.max_epochs == 3
    assert config.model.dialogue.backbone == dict(type='BTAdapter', num_layers=4, num_frames=8)
    assert not config.model.get('from_scratch') and not config.model.get('train_clip')
    pipeline = config.train_dataloader.dataset.pipeline
    assert pipeline[:-1] == config.pipeline == load('dialogue/dialogue_llava_7b').pipeline
    assert pipeline[0].num_frames == 100 and pipeline[2] == dict(type='CenterCrop', crop_size=224)


def test_variants_differ_in_what_they_compare():
    """The same data, rate and schedule; fewer frames where all of their tokens are read."""
    ours = load('dialogue/tune_llava_7b').to_dict()
    for path in TUNINGS:
        other = read_config(path).to_dict()
        frames = 6 if other['model']['dialogue'].get('pooling') == 'none' else 100
        pipelines = (other['pipeline'], other['train_pipeline'],
                     other['train_dataloader']['dataset']['pipeline'])
        for read_frames in (other['read_frames'], *(pipeline[0] for pipeline in pipelines)):
            assert read_frames.pop('num_frames') == frames
            read_frames['num_frames'] = 100
        for key in ours.keys() - {'model'}:
            assert other[key] == ours[key], key
        assert other.keys() - ours.keys() <= {'find_unused_parameters'}


def test_data_as_the_config_says_it_lies(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    entries = [dict(q='What?', a='That.', video_id='v_1'), dict(q='Who?', a='She.', video_id='v_2')]
    lay_out(tmp_path / 'data/videochatgpt', {'VideoInstruct100K.json': json.dumps(entries)},
            ['videos/v_1.mp4', 'videos/v_2.mp4'])
    config = load('dialogue/tune_llava_7b').train_dataloader.dataset
    with DefaultScope.overwrite_default_scope('mmaction'):
        dataset = DATASETS.build(config)
    sample = dataset[1]
    assert sample['inputs']['imgs'].shape == (100, 3, 224, 224)
    told = sample['data_samples']
    assert (told.video_id, told.question, told.answer) == ('v_2', 'Who?', 'She.')
