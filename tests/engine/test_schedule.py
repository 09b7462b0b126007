"""A schedule in shares of the run: what each iteration of a real run has, and what is refused."""
import itertools
import math

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import toys  # noqa: F401  registers the toy model and its 8 numbers
from mmbt.engine import WarmUpCosineLR

EPOCHS = dict(type='ResumableTrainLoop', max_epochs=1)
EACH = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1))
COUNT = itertools.count()  # runs of one name would share their logs


class Rates(Hook):
    """Keep the rate of each iteration; cut the run short before one."""

    def __init__(self, before=None):
        self.seen, self.before = [], before

    def before_train_iter(self, runner, **kwargs):
        if runner.iter == self.before:
            raise KeyboardInterrupt
        self.seen.append(runner.optim_wrapper.param_groups[0]['lr'])


@pytest.fixture
def rates(tmp_path):
    """``rates(train_cfg, ...)`` trains on 8 numbers in batches of 2; the rate of each iteration."""

    def train(train_cfg, before=None, schedule=None, **changes):
        loader = dict(batch_size=2, drop_last=True, dataset=dict(type='ToyDataset'),
                      sampler=dict(type='ResumableSampler', shuffle=True))
        runner = Runner.from_cfg(Config(dict(
            default_scope='mmaction', model=dict(type='ToyModel'), work_dir=str(tmp_path),
            train_dataloader=dict(loader, **changes.pop('loader', {})),
            train_cfg=train_cfg, log_level='ERROR', experiment_name=f'toy{next(COUNT)}',
            optim_wrapper=dict(optimizer=dict(type='AdamW', lr=changes.pop('lr', 1.)),
                               **changes.pop('wrapper', {})),
            param_scheduler=schedule or dict(type='WarmUpCosineLR', warmup=0.25, by_epoch=False),
            **dict(dict(default_hooks=EACH), **changes))))
        hook = Rates(before)
        runner.register_hook(hook)
        try:
            runner.train()
        except KeyboardInterrupt:
            assert before is not None
        return hook.seen

    return train


def by_hand(length, rising):
    """A quarter up from 0.01, then the cosine."""
    up = [0.01 + 0.99 * i / max(rising - 1, 1) for i in range(rising)]
    down = length - rising
    return up + [(1 + math.cos(math.pi * i / down)) / 2 for i in range(down)]




@pytest.mark.parametrize('train_cfg, length, rising', [
    (EPOCHS, 4, 1), (dict(EPOCHS, max_epochs=3), 12, 3),
    (dict(type='EpochBasedTrainLoop', max_epochs=2), 8, 2),
    (dict(type='IterBasedTrainLoop', max_iters=3), 3, 1)])  # round(0.75)
def test_the_shares_are_of_the_run_however_long_it_is(rates, train_cfg, length, rising):
    assert rates(train_cfg) == pytest.approx(by_hand(length, rising))


def test_four_iterations_by_hand():
    """A quarter is one: 0.01; the cosine's 0, 60 and 120 degrees: 1, 3/4, 1/4."""
    assert by_hand(4, 1) == pytest.approx([0.01, 1, 0.75, 0.25])


def test_iterations_are_counted_also_where_gradients_are_accumulated(rates):
    assert rates(dict(EPOCHS, max_epochs=2), wrapper=dict(accumulative_counts=3),
                 default_hooks=None) == pytest.approx(by_hand(8, 2))


def test_the_rate_that_is_shared_out_is_the_scaled_one(rates):
    """A batch of 2 where the rate was meant for 8: a quarter of it."""
    scaled = rates(EPOCHS, auto_scale_lr=dict(enable=True, base_batch_size=8))
    assert scaled == pytest.approx([rate / 4 for rate in by_hand(4, 1)])


def test_a_resumed_run_has_the_rates_of_one_in_peace_bit_for_bit(rates):
    whole = rates(dict(EPOCHS, max_epochs=2))
    assert rates(dict(EPOCHS, max_epochs=2), before=5) == whole[:5]
    assert rates(dict(EPOCHS, max_epochs=2), resume=True) == whole[5:]


def test_a_run_that_is_prolonged_or_slowed_has_the_config_s_rates_from_there_on(rates):
    """Ended after 4 of 4, a run of 12 goes on at its fifth; so does one of half the rate."""
    rates(EPOCHS)
    longer = rates(dict(EPOCHS, max_epochs=3), resume=True, before=8)
    assert longer == pytest.approx(by_hand(12, 3)[4:8])
    slower = rates(dict(EPOCHS, max_epochs=3), resume=True, lr=0.5)
    assert slower == pytest.approx([rate / 2 for rate in by_hand(12, 3)[8:]])


def test_fewer_clips_than_a_batch_are_refused_in_one_line(rates):
    few = 'training clips are less than a batch of 9 for each of 1 processes; lower train_data'
    with pytest.raises(ValueError, match=f'^ToyDataset: 8 {few}'):
        rates(EPOCHS, loader=dict(batch_size=9))
    with pytest.raises(ValueError, match='fewer training clips than one batch'):
        rates(dict(type='EpochBasedTrainLoop', max_epochs=1), loader=dict(batch_size=9))
    assert len(rates(EPOCHS, loader=dict(batch_size=8))) == 1
    assert len(rates(EPOCHS, loader=dict(batch_size=9, drop_last=False))) == 1


@pytest.mark.parametrize('change, message', [
    (dict(by_epoch=True), 'set by_epoch=False'), (dict(end=None), 'set by_epoch=False'),
    (dict(warmup=1.1), r'warmup .* in \[0, 1\], got 1.1'), (dict(warmup=50), 'warmup'),
    (dict(start_factor=-1), 'start_factor'), (dict(decay=0), 'decay .* above 0'),
    (dict(end=0), 'fewer training clips')])
def test_what_is_no_share_is_refused(change, message):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.)
    with pytest.raises(ValueError, match=message):
        WarmUpCosineLR(optimizer, **{**dict(end=10, by_epoch=False), **change})


@pytest.mark.parametrize('warmup', [0, 1])
def test_no_warmup_and_nothing_else(warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.)
    schedule = WarmUpCosineLR(optimizer, warmup=warmup, end=5, by_epoch=False)
    factors = [schedule.factor(step) for step in range(5)]
    assert factors == pytest.approx(by_hand(5, 5 * warmup))
