"""Tuning that is cut short ends as one that is not, bit for bit."""
import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ...engine.test_resuming import assert_same, read
from .tuning_world import PAIRS, ROUNDS, run, tiny_config, write_world

pytestmark = pytest.mark.slow

BATCH = 16


class CutShort(Exception):
    """What stands for a kill."""


@HOOKS.register_module()
class StopAt(Hook):
    """Cut a run short after an iteration."""

    priority = 'VERY_LOW'

    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, **kwargs):
        if runner.iter + 1 == self.iteration:
            raise CutShort


def config(folder, work_dir, *hooks, **options):
    """Two epochs in mixed precision with the full-size config's kind of schedule."""
    made = tiny_config(folder, work_dir, epochs=2, **{
        'model.dialogue.dtype': 'bfloat16', 'train_dataloader.batch_size': BATCH,
        'train_dataloader.sampler.shuffle': True, 'optim_wrapper.type': 'AmpOptimWrapper',
        'optim_wrapper.dtype': 'bfloat16', **options})
    made.param_scheduler = dict(type='WarmUpCosineLR', warmup=0.25, by_epoch=False)
    made.custom_hooks = [dict(type='CheckpointHook', by_epoch=False, interval=6),
                         dict(type='BranchFileHook'), *hooks]
    return made


def test_a_run_that_is_cut_short_ends_as_one_that_is_not(tmp_path):
    write_world(tmp_path)
    batches = 2 * PAIRS * ROUNDS // BATCH
    run(config(tmp_path, tmp_path / 'peace'))
    torch.manual_seed(3)
    with pytest.raises(CutShort):  # within the second epoch
        Runner.from_cfg(config(tmp_path, tmp_path / 'war',
                               dict(type='StopAt', iteration=batches + 6))).train()
    assert (tmp_path / 'war/last_checkpoint').read_text().endswith(f'iter_{batches + 5}.pth')
    torch.manual_seed(5)
    runner = Runner.from_cfg(config(tmp_path, tmp_path / 'war', resume=True))
    runner.train()
    assert runner.iter == 2 * batches
    peace, war = (read(tmp_path / name / 'epoch_2.pth') for name in ('peace', 'war'))
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_same(peace[part], war[part], part)
    first = read(tmp_path / 'peace/epoch_1.pth')['state_dict']
    moved = {name for name, value in peace['state_dict'].items()
             if not torch.equal(value, first[name])}
    assert moved == {name for name in first if not name.startswith('fingerprint.')} - {
        'backbone.branch.output_gate.weight'}
    ends = [read(tmp_path / name / 'branch_epoch_2.pth')['state_dict'] for name in ('peace', 'war')]
    assert_same(*ends)
