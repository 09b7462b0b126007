"""The rates of every training config, by hand, for runs of several lengths."""
import math

import pytest
import torch
from mmaction.registry import PARAM_SCHEDULERS

from .layouts import CONFIGS, ROOT, load, read_config

pytestmark = pytest.mark.slow

TRAININGS = [path for path in CONFIGS if path.parent.name != '_base_'
             and read_config(path).get('param_scheduler')]
LENGTHS = {'1 epoch': 3906, '3 epochs': 11718, '100 iterations': 100}


def rates_of(schedule, iterations):
    """Share of the rate that a run of so many iterations has in each, as MMEngine builds it."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.)
    schedule = PARAM_SCHEDULERS.build(
        dict(schedule, end=iterations), default_args=dict(optimizer=optimizer, epoch_length=7))
    rates = []
    for _ in range(iterations):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        schedule.step()
    return rates


@pytest.mark.parametrize('iterations', LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize('name, warmup', [
    ('pretrain_webvid', 0.1), ('pretrain_webvid_shards', 0.1), ('pretrain_webvid_eva_clip_g', 0.1),
    ('demo/demo_pretrain', 0.1), ('demo/shapes_pretrain_long', 0.1), ('demo/demo_clip', 0.05),
    ('dialogue/tune_llava_7b', 0.03)])
def test_the_rate_rises_over_its_share_and_falls_to_zero(name, warmup, iterations):
    """From a hundredth, at its height when the warm-up ends, at half of it half-way down."""
    rates = rates_of(load(name).param_scheduler, iterations)
    rising = round(warmup * iterations)
    assert rates[0] == 0.01 and rates[rising - 1] == pytest.approx(1) and rates[rising] == 1
    middle = (rising - 1) / 2
    assert rates[rising // 2] == pytest.approx(0.01 + 0.99 * (rising // 2) / (2 * middle))
    falling = iterations - rising
    assert rates[rising + falling // 2] == pytest.approx(0.5, abs=2 / falling)
    assert rates[-1] == pytest.approx((math.pi / falling)**2 / 4, rel=1e-3)
    assert rates.index(max(rates)) in (rising - 1, rising) and min(rates) == rates[-1]


@pytest.mark.parametrize('iterations', LENGTHS.values(), ids=LENGTHS)
def test_the_released_rate_rises_over_half_and_falls_to_97_percent(iterations):
    """From a twentieth; then the first ninth of a cosine, (1 + cos(20 degrees)) / 2 = 0.9698."""
    rates = rates_of(load('pretrain_webvid_released').param_scheduler, iterations)
    half = iterations // 2
    assert rates[0] == 0.05 and rates[half - 1] == pytest.approx(1) and rates[half] == 1
    assert rates[half // 2] == pytest.approx(0.05 + 0.95 * (half // 2) / (half - 1))
    assert rates[-1] == pytest.approx(0.9698, abs=2e-3)


@pytest.mark.parametrize('path', TRAININGS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_training_counts_iterations_or_keeps_a_last_batch_that_is_smaller(path):
    """Nothing of a schedule is a number of iterations or epochs, whatever inherits what."""
    config = read_config(path)
    schedule = dict(config.param_scheduler)
    assert schedule.pop('type') == 'WarmUpCosineLR' and schedule.pop('by_epoch') is False
    assert schedule.keys() <= {'warmup', 'start_factor', 'decay'}
    assert config.train_dataloader.drop_last is True


def test_every_training_has_a_schedule():
    """Whatever trains: what has an optimizer."""
    assert len(TRAININGS) > 40 and set(TRAININGS) == {
        path for path in CONFIGS
        if path.parent.name != '_base_' and read_config(path).get('optim_wrapper')}
