"""Exact resumption: killed runs, the sampler's order, and what is refused."""
from types import SimpleNamespace

import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub

from mmbt.datasets.sample_index import SampleIndex, mixed_seed
from mmbt.engine import ResumableSampler, ResumableTrainLoop
from mmbt.files.safe_load import weights_only

from .killed_runs import EPOCHS, ITERATIONS, train_in_peace_and_war

pytestmark = pytest.mark.slow

KILLS = 10


def read(path):
    """A run's checkpoint."""
    with weights_only():
        return torch.load(path, map_location='cpu')


def assert_same(ours, theirs, path=''):
    """Every tensor and number bit for bit, whatever they are nested in."""
    if isinstance(ours, torch.Tensor):
        assert torch.equal(ours, theirs), path
    elif isinstance(ours, dict):
        assert ours.keys() == theirs.keys(), path
        for key in ours:
            assert_same(ours[key], theirs[key], f'{path}/{key}')
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs), path
        for number, (a, b) in enumerate(zip(ours, theirs)):
            assert_same(a, b, f'{path}/{number}')
    else:
        assert ours == theirs, path


def test_a_run_killed_at_ten_random_moments_ends_as_one_in_peace(tmp_path):
    """Weights, their moving average, the optimizer's state and the schedules."""
    trained = train_in_peace_and_war(tmp_path, KILLS, 7)
    assert trained[0] == ITERATIONS
    assert trained[1] > ITERATIONS  # the kills cost something: they did hit the training

    peace, war = (read(tmp_path / run / f'epoch_{EPOCHS}.pth') for run in ('peace', 'war'))
    for part in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'):
        assert_same(peace[part], war[part], part)
    assert war['meta']['iter'] == ITERATIONS and war['meta']['epoch'] == EPOCHS
    first = read(tmp_path / 'peace' / f'epoch_{EPOCHS - 1}.pth')['state_dict']
    moved = [k for k, v in peace['state_dict'].items() if not torch.equal(v, first[k])]
    assert any('branch.spatial' in key for key in moved)  # there was something to get wrong
    assert not list(tmp_path.rglob('*.part')) and not list(tmp_path.rglob('*.lock'))


def test_the_sampler_begins_within_an_epoch_where_the_order_stood():
    sampler = ResumableSampler(range(10), shuffle=True, seed=0)
    sampler.begin(seed=5, epoch=2, skipped=0)
    whole = list(sampler)
    sampler.begin(seed=5, epoch=2, skipped=4)
    rest = list(sampler)
    assert sorted(whole) == list(range(10)) and rest == whole[4:]
    assert [i.seed for i in rest] == [i.seed for i in whole[4:]]
    assert len(sampler) == 10
    sampler.begin(seed=5, epoch=3, skipped=0)
    later = list(sampler)
    assert later != whole
    assert {i: i.seed for i in later} != {i: i.seed for i in whole}
    assert len({i.seed for i in whole + later}) == 20


@pytest.mark.parametrize('round_up', [True, False])
@pytest.mark.parametrize(('size', 'shuffle'), [(10, True), (11, True), (2, True), (11, False)])
def test_the_order_is_mmengines(size, shuffle, round_up, monkeypatch):
    for rank in range(3):
        monkeypatch.setattr('mmengine.dataset.sampler.get_dist_info', lambda rank=rank: (rank, 3))
        arguments = dict(shuffle=shuffle, seed=4, round_up=round_up)
        ours = ResumableSampler(range(size), **arguments)
        theirs = DefaultSampler(range(size), **arguments)
        ours.set_epoch(2)
        theirs.set_epoch(2)
        assert list(ours) == list(theirs) and len(ours) == len(list(theirs))


def test_seeds_are_those_of_their_numbers_alone():
    assert mixed_seed(1, 2, 3) == mixed_seed(1, 2, 3)
    assert len({mixed_seed(a, b, 0) for a in range(20) for b in range(20)}) == 400
    assert SampleIndex(4, seed=9) == 4 and [10, 11][SampleIndex(1, 0)] == 11


def loop(sampler=None, iteration=0, recorded=None, hooks=(), accumulate=1, batches=5):
    """A train loop with nothing in it but what check() reads."""
    hub = MessageHub('test_resuming')
    if recorded is not None:
        hub.update_info('batches_an_epoch', recorded)
    runner = SimpleNamespace(
        optim_wrapper=SimpleNamespace(_accumulative_counts=accumulate), hooks=list(hooks),
        message_hub=hub)
    made = object.__new__(ResumableTrainLoop)

    class Loader:
        def __len__(self):
            return batches

    made._runner, made.dataloader, made._iter = runner, Loader(), iteration
    made.dataloader.sampler = sampler or ResumableSampler(range(10), seed=0)
    return made


def test_a_checkpoint_of_other_batches_is_refused():
    loop(iteration=7, recorded=5).check()
    with pytest.raises(ValueError, match='epochs of 8 batches, here they have 5'):
        loop(iteration=7, recorded=8).check()
    fresh = loop(recorded=8)
    fresh.check()
    assert fresh.runner.message_hub.get_info('batches_an_epoch') == 5


def test_checkpoints_between_accumulated_steps_are_refused():
    hook = CheckpointHook(by_epoch=False, interval=6)
    loop(hooks=[hook], accumulate=3).check()
    with pytest.raises(ValueError, match='every 6 iterations .* 4 accumulated'):
        loop(hooks=[hook], accumulate=4).check()


def test_another_sampler_is_refused():
    with pytest.raises(ValueError, match="sampler=dict\\(type='ResumableSampler'\\)"):
        loop(sampler=torch.utils.data.SequentialSampler(range(3))).check()
