"""What a run logs and draws, and how it stops when a loss is no longer a number."""
import io
import json
import math

import cv2
import numpy as np
import pytest
import torch
from mmengine.runner import Runner

from mmbt.engine.monitoring import video_ids
from mmbt.engine.training_picture import training_picture

from .killed_runs import BATCH, SAMPLES, RememberClips, TellIteration, config

pytestmark = pytest.mark.slow

ITERATIONS = SAMPLES // BATCH


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that trains one epoch with the given hooks, and returns its runner."""

    threads = torch.get_num_threads()

    def train(*hooks, spoil=None, **changes):
        cfg = config(tmp_path, resume=False)
        cfg.custom_hooks = [*hooks, dict(type='CheckpointHook', by_epoch=False, interval=3)]
        torch.set_num_threads(1)
        cfg.train_cfg.max_epochs = 1
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.default_hooks.logger.interval = 2
        for key, value in changes.items():
            cfg[key] = value
        monkeypatch.setattr(TellIteration, 'pipe', None)
        runner = Runner.from_cfg(cfg)
        if spoil is not None:
            spoil(runner)
        runner.train()
        return runner

    yield train
    torch.set_num_threads(threads)


def logged(folder):
    """The entries of MMEngine's log, as dicts."""
    path, = folder.rglob('vis_data/scalars.json')
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_gates_rates_and_speed_are_in_the_log_and_in_tensorboard(run, tmp_path):
    rates = dict(custom_keys={'branch.temporal': dict(lr_mult=10), 'heads': dict(lr_mult=0.5)})
    runner = run(
        dict(type='TrainingMonitorHook', interval=2),
        optim_wrapper=dict(
            type='OptimWrapper', clip_grad=dict(max_norm=float('inf')), paramwise_cfg=rates,
            optimizer=dict(type='AdamW', lr=1e-3)),
        param_scheduler=None,
        visualizer=dict(type='Visualizer', vis_backends=[
            dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]))
    last = logged(tmp_path)[-1]
    branch = runner.model.backbone.branch
    share = float(branch.output_gate.weight.sigmoid().mean())
    assert last['gate/output'] == pytest.approx(share, abs=2e-3) and share != 0.5
    assert {'gate/1', 'loss_vtc', 'loss_mbta', 'loss_mbca', 'grad_norm', 'data_time'} <= set(last)
    assert last['lr/temporal'] == pytest.approx(1e-2) and last['lr/heads'] == pytest.approx(5e-4)
    assert last['lr/spatial'] == pytest.approx(1e-3)
    assert last['clips_per_second'] == pytest.approx(BATCH / last['time'], rel=0.9)
    assert 0 <= last['data_wait'] <= 1
    assert list(tmp_path.rglob('events.out.tfevents.*'))
    picture = cv2.imread(str(tmp_path / 'training.png'))
    assert picture is not None and picture.std() > 10


def test_one_rate_for_all_is_logged_once(run, tmp_path):
    run(dict(type='TrainingMonitorHook', interval=2))
    last = logged(tmp_path)[-1]
    assert 'lr' in last and not any(name.startswith('lr/') for name in last)


def spoil_loss(at):
    """Make the first head's loss not a number from an iteration on."""

    def spoil(runner):
        head = runner.model.heads[0]
        plain = head.forward
        head.forward = lambda *inputs: plain(*inputs) * (math.nan if runner.iter >= at else 1)

    return spoil


@pytest.mark.parametrize('interval', [1, 4, 100])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_clips(
        run, tmp_path, interval, monkeypatch):
    """It goes wrong in iteration 8; whenever it is noticed, the checkpoint of 9 is not written."""
    monkeypatch.setattr(RememberClips, 'kept', [])
    with pytest.raises(ValueError, match=r'loss\w* is not finite in iteration 8; its clips: '
                                         r'clip_\d+, clip_\d+\. The checkpoints in') as error:
        run(dict(type='NonFiniteHook', interval=interval),
            dict(type='RememberClips'), spoil=spoil_loss(at=7))
    assert ', '.join(RememberClips.kept[7]) in str(error.value)
    saved = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert saved == ['iter_3.pth', 'iter_6.pth']
    state = torch.load(tmp_path / 'iter_6.pth', weights_only=False)['state_dict']
    assert all(bool(value.isfinite().all()) for value in state.values())


def spoil_gradient(at):
    """Make a gradient infinite in an iteration, while its loss is finite."""

    def spoil(runner):
        branch = runner.model.backbone.branch
        branch.cls_token.register_hook(
            lambda gradient: gradient * (math.inf if runner.iter == at else 1))

    return spoil


def test_weights_that_are_not_finite_are_not_saved(run, tmp_path):
    """The gradient goes wrong in iteration 6, after which a checkpoint is due."""
    with pytest.raises(ValueError, match=r'branch\.\S+ is not finite in iteration 6; its clips: '
                                         r'clip_\d+, clip_\d+\.'):
        run(dict(type='NonFiniteHook', interval=100), spoil=spoil_gradient(at=5),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3)))
    assert [path.name for path in tmp_path.glob('*.pth')] == ['iter_3.pth']


def test_a_run_in_order_is_not_stopped(run):
    runner = run(dict(type='NonFiniteHook', interval=4))
    assert runner.iter == ITERATIONS


def test_clips_without_names_are_counted():
    assert video_ids(dict(inputs=1)) == [] and video_ids(None) == []


def test_the_picture_draws_each_curve_over_the_whole_run():
    """A sparse curve ends where a dense one does: both reach the right edge of their panels."""
    dense = (np.linspace(3, 1, 300), np.ones(300))
    sparse = (np.linspace(0.5, 0.7, 5), np.ones(5))
    with_both = training_picture({'loss': dense, 'gate/output': sparse, 'gate/1': sparse})
    with_less = training_picture({'loss': dense})
    assert with_both != with_less
    image = cv2.imdecode(np.frombuffer(io.BytesIO(with_both).read(), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape[0] > 600
