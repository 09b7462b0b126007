"""The hooks of pretraining beside backbones that have no branch or no gates, or train CLIP too."""
import json
import logging

import pytest
import torch
from mmengine.runner import Runner

from mmbt.apis import load_branch

from .killed_runs import TellIteration, config

pytestmark = pytest.mark.slow

FRAMES, LAST = 2, 2
BACKBONES = {
    'SeparateST': dict(type='SeparateST', num_layers=LAST, num_frames=FRAMES),
    'JointST': dict(type='JointST', num_frames=FRAMES),
    'STAdapter': dict(type='STAdapter', adapter_width=4),
    'STAN': dict(type='STAN', num_layers=LAST, num_frames=FRAMES),
    'FrameMean': dict(type='FrameMean'),
}
HOOKS = [dict(type='NonFiniteHook', interval=4), dict(type='TrainingMonitorHook', interval=2),
         dict(type='BranchFileHook')]
WARNING = 'CLIP is trained too, so no branch files are written'


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """A function that builds a runner of one epoch with the hooks of configs/pretrain_webvid.py."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def build(backbone, frozen=True, **changes):
        cfg = config(tmp_path, resume=False)
        cfg.model.backbone = BACKBONES[backbone]
        cfg.model.mask = None
        cfg.model.heads = [dict(type='VTCHead', temperature=0.1)]
        cfg.model.trunk.frozen = frozen
        cfg.custom_hooks = HOOKS
        cfg.experiment_name = tmp_path.name  # else two runs of one second share their logs
        cfg.train_cfg.max_epochs = 1
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.default_hooks.logger.interval = 2
        cfg.optim_wrapper.clip_grad.max_norm = float('inf')
        cfg.param_scheduler = None
        for key, value in changes.items():
            cfg[key] = value
        monkeypatch.setattr(TellIteration, 'pipe', None)
        return Runner.from_cfg(cfg)

    yield build
    torch.set_num_threads(threads)


def last_entry(folder):
    path, = folder.rglob('vis_data/scalars.json')
    return json.loads(path.read_text().splitlines()[-1])


@pytest.mark.parametrize('name', ['SeparateST', 'JointST', 'STAdapter', 'STAN'])
def test_beside_a_frozen_clip_its_own_weights_are_the_branch_file(name, runner, tmp_path):
    """They load into a fresh model, with which it is the one that was trained."""
    run = runner(name)
    fresh = {key: value.clone() for key, value in run.model.state_dict().items()}
    run.train()
    entry = last_entry(tmp_path)
    assert {'loss_vtc', 'clips_per_second', 'data_wait'} <= set(entry)
    assert not any(key.startswith('gate/') for key in entry)
    assert (tmp_path / 'training.png').is_file()
    trained = run.model.state_dict()
    changed = {key for key in fresh if not torch.equal(fresh[key], trained[key])}
    run.model.load_state_dict(fresh)
    load_branch(run.model, tmp_path / 'branch_epoch_1.pth')
    assert changed and all(key.startswith('backbone.') and not key.startswith('backbone.trunk.')
                           for key in changed)
    assert all(torch.equal(value, trained[key]) for key, value in run.model.state_dict().items())


def test_the_branch_file_holds_the_average_that_the_checkpoint_holds(runner, tmp_path):
    """And the training goes on with the weights themselves."""
    average = dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.1)
    run = runner('SeparateST', custom_hooks=[average, dict(type='BranchFileHook')])
    run.train_loop._max_epochs = 2
    run.train()
    own = run.model.state_dict()
    for epoch in (1, 2):
        saved, branch = (torch.load(tmp_path / f'{kind}_{epoch}.pth', weights_only=False)
                         for kind in ('epoch', 'branch_epoch'))
        trained = {key: value for key, value in branch['state_dict'].items() if key in own}
        assert len(trained) > 10
        for key, value in trained.items():
            assert torch.equal(value, saved['state_dict'][key]), key
        moved = [key for key, value in trained.items()
                 if not torch.equal(value, saved['ema_state_dict'][f'module.{key}'])]
        assert len(moved) > 10
    assert all(torch.equal(own[key], saved['ema_state_dict'][f'module.{key}']) for key in trained)


@pytest.mark.parametrize('name', ['SeparateST', 'JointST', 'FrameMean'])
def test_beside_an_open_clip_there_is_no_branch_file_and_one_line_says_so(
        name, runner, tmp_path):
    run = runner(name, frozen=False)
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    run.logger.addHandler(handler)
    run.train()
    assert sum(WARNING in line for line in lines) == 1
    assert not list(tmp_path.glob('branch_*')) and (tmp_path / 'epoch_1.pth').is_file()
    assert 'loss_vtc' in last_entry(tmp_path)


def test_where_nothing_is_trained_the_hook_says_so_before_the_training(runner, tmp_path):
    with pytest.raises(ValueError, match='^a FrameMean has nothing that is trained$'):
        runner('FrameMean').train()
    assert not list(tmp_path.glob('*.pth'))


def test_a_rate_of_its_own_for_separate_attention_over_time_is_logged(runner, tmp_path):
    rates = dict(custom_keys={'backbone.temporal': dict(lr_mult=10)})
    runner('SeparateST', optim_wrapper=dict(
        type='OptimWrapper', paramwise_cfg=rates, optimizer=dict(type='AdamW', lr=1e-3))).train()
    assert last_entry(tmp_path)['lr/temporal'] == pytest.approx(1e-2)
