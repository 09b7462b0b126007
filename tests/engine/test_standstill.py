"""A training that moved nothing says so, once, in lines that tell what to do."""
import logging
import math

import pytest
import torch
from mmengine.runner import Runner
from torch import nn

from mmbt.engine.standstill import marks, still_gates, still_projections
from mmbt.files.safe_load import weights_only

from .killed_runs import TellIteration, config

pytestmark = pytest.mark.slow

LOST = 'the learning rate never passed'
IDLE = 'the learning rate lay below 1 % of its height in'
GATES = 'the gates ended where they began'
W_T = 'W_t ended where it began'


@pytest.fixture
def warnings_of(tmp_path, monkeypatch):
    """``warnings_of(schedule, rate)`` trains a branch for 18 iterations; what it was warned of."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def train(schedule, rate=1e-2, epochs=1, resume=False, **backbone):
        cfg = config(tmp_path, resume=resume)
        cfg.merge_from_dict(dict(
            train_cfg=dict(max_epochs=epochs), custom_hooks=[dict(type='TrainingMonitorHook')],
            optim_wrapper=dict(optimizer=dict(lr=rate)), experiment_name=tmp_path.name,
            train_dataloader=dict(num_workers=0, persistent_workers=False)))
        cfg.model.backbone.update(drop_path=0, **backbone)
        cfg.param_scheduler, cfg.allow_resume_changes = schedule, True
        monkeypatch.setattr(TellIteration, 'pipe', None)
        runner, lines = Runner.from_cfg(cfg), []
        handler = logging.Handler(logging.WARNING)
        handler.emit = lambda record: lines.append(record.getMessage())
        runner.logger.addHandler(handler)
        runner.train()
        runner.logger.removeHandler(handler)
        return [line for line in lines if line.startswith((LOST, IDLE, GATES, W_T))]

    yield train
    torch.set_num_threads(threads)


SHARES = dict(type='WarmUpCosineLR', warmup=0.1, by_epoch=False)


def test_a_training_in_order_is_warned_of_nothing(warnings_of):
    assert warnings_of(SHARES) == []
    assert warnings_of(None) == []


def test_a_warm_up_longer_than_the_run(warnings_of):
    """Of 400 iterations to warm up 18 are run, the last with 1 % + 99 % 17 / 399 = 5.2 %."""
    lost, = warnings_of(
        dict(type='LinearLR', start_factor=0.01, end=400, by_epoch=False), rate=0.1)
    assert lost.startswith(f'{LOST} 5.2 % of 0.1 in 18 iterations: its warm-up is longer than the')
    assert "param_scheduler=dict(type='WarmUpCosineLR', by_epoch=False)" in lost


def test_a_schedule_that_is_over_after_the_first_of_three_epochs(warnings_of):
    """Of 54 iterations 36 are idle, and the last of the first epoch's cosine."""
    idle, = warnings_of(dict(type='CosineAnnealingLR', T_max=1, eta_min=0, end=1, by_epoch=True,
                             convert_to_iter_based=True), epochs=3)
    assert idle.startswith(f'{IDLE} 37 of 54 iterations: its schedule is not as long as the run')


def test_a_rate_too_small_for_gates_and_projections(warnings_of, tmp_path):
    """AdamW moves no weight by more than about the sum of the rates, 18e-6 here."""
    gates, projections = warnings_of(None, rate=1e-6)
    assert gates.startswith(f"{GATES}: the branch's share moved by ")
    assert projections.startswith(f'{W_T}, so that the branch sees the frames one by one: ')
    for line in (gates, projections):
        assert 'raise optim_wrapper.optimizer.lr, train longer' in line and '\n' not in line
    with weights_only():
        kept = torch.load(tmp_path / 'epoch_1.pth')['message_hub']['runtime_info']
    assert not any(mark.any() for mark in kept['gates_and_projections_at_the_start'].values())


def test_a_resumed_run_is_measured_from_its_first_start(warnings_of):
    """What moved before it was killed has moved, though nothing moves after it."""
    assert warnings_of(SHARES) == []
    idle, = warnings_of(SHARES, rate=1e-9, epochs=2, resume=True)
    assert idle.startswith(IDLE)


def test_what_has_no_gates_and_no_projections_cannot_stand_still(warnings_of):
    assert warnings_of(None, rate=1e-6, combination='add', temporal_proj='none') == []


def test_marks_are_of_what_is_trained_and_of_more_than_one_column():
    from ..support.tiny import build_model
    model = build_model().float()
    found = marks(model)
    assert sorted(name.split()[0] for name in found) == ['W_t'] * 3 + ['gate'] * 3
    block = model.backbone.branch.temporal[0]
    block.temporal_fc = nn.Linear(64, 64, bias=False)
    nn.init.zeros_(block.temporal_fc.weight)
    with torch.no_grad():
        block.temporal_fc.weight[:, 1:] = 1
    mark = marks(model)['W_t branch.temporal.0']
    assert 800 < len(mark) < 1400 and 0.95 < mark.mean() < 1
    model.backbone.branch.output_gate.requires_grad_(False)
    assert 'gate branch.output_gate' not in marks(model)


def test_still_by_hand():
    """sigmoid(0.004) - 1/2 = 0.000999..., just below a thousandth; 0.01 / sqrt(16) = 0.0025."""
    start = torch.zeros(3)
    little, enough = torch.tensor([0, 0.00399, 0]), torch.tensor([0, 0.0041, 0])
    assert torch.sigmoid(little).max() - 0.5 == pytest.approx(0.00399 / 4, rel=1e-3)
    assert len(still_gates([(start, little)])) == 1 and still_gates([(start, enough)]) == []
    assert still_gates([(start, little), (start, enough)]) == still_gates([]) == []
    for size, count in ((0.0024, 1), (0.0026, 0)):
        assert len(still_projections([((start, torch.full((3, ), size)), 16)])) == count
    assert still_projections([]) == [] and math.isclose(0.0025 * 16**0.5, 0.01)
