"""Losses and gradient norms are read when they are written, and the log is the same."""
import json
from pathlib import Path

import pytest
import torch
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils._python_dispatch import TorchDispatchMode

from mmbt.engine import LazyRuntimeInfoHook

from .killed_runs import BATCH, SAMPLES, config

pytestmark = pytest.mark.slow

ITERATIONS = SAMPLES // BATCH
LOSSES = {'train/loss', 'train/loss_vtc', 'train/loss_mbta', 'train/loss_mbca', 'train/grad_norm'}


class Readings(TorchDispatchMode):
    """Counts the values that are read on the host: item, float, bool, tolist, ..."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@HOOKS.register_module()
class StartOfStep(Hook):
    """Begins to count once the data is there, before any other hook."""

    priority = 'HIGHEST'
    readings = None

    def before_train_iter(self, runner, **kwargs):
        self.readings.count = 0


@HOOKS.register_module()
class EndOfStep(Hook):
    """Keeps how many values each step read, all hooks included."""

    priority = 'LOWEST'
    readings, counts = None, None

    def after_train_iter(self, runner, **kwargs):
        self.counts.append(self.readings.count)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A function that trains an epoch; it returns the runner and how many values each step read."""
    threads = torch.get_num_threads()

    def run(name, info, checkpoint=1000, logger=6, **optim):
        cfg = config(tmp_path / name, resume=False)
        cfg.train_cfg.max_epochs = 1
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
        cfg.experiment_name = name  # MMEngine's own is of the second, which two runs may share
        cfg.default_hooks.runtime_info = dict(type=info)
        cfg.default_hooks.logger.interval = logger
        cfg.custom_hooks = [
            dict(type='NonFiniteHook', interval=6),
            dict(type='CheckpointHook', by_epoch=False, interval=checkpoint, save_last=False),
            dict(type='StartOfStep'), dict(type='EndOfStep')]
        cfg.optim_wrapper.optimizer.fused = True
        for key, value in optim.items():
            cfg.optim_wrapper[key] = value
        torch.set_num_threads(1)
        torch.manual_seed(0)
        readings = Readings()
        monkeypatch.setattr(StartOfStep, 'readings', readings)
        monkeypatch.setattr(EndOfStep, 'readings', readings)
        monkeypatch.setattr(EndOfStep, 'counts', [])
        runner = Runner.from_cfg(cfg)
        with readings:
            runner.train()
        return runner, EndOfStep.counts

    yield run
    torch.set_num_threads(threads)


def history(hub):
    """Every value of the losses and the norm so far, by name."""
    return {name: hub.log_scalars[name].data[0].tolist() for name in LOSSES}


def logged(runner):
    """The entries of the log without what depends on the clock."""
    path, = Path(runner.work_dir).rglob('vis_data/scalars.json')
    clock = ('time', 'data_time', 'memory', 'clips_per_second', 'data_wait')
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in entry.items() if k not in clock} for entry in entries]


@pytest.mark.parametrize('clip', [dict(max_norm=1e9), None], ids=['clip_grad', 'plain'])
def test_nothing_is_read_between_two_entries_of_the_log(train, clip):
    _, read = train('lazy', 'LazyRuntimeInfoHook', clip_grad=clip)
    assert len(read) == ITERATIONS == 18
    assert [i + 1 for i, count in enumerate(read) if count] == [6, 12, 18]


def test_mmengine_s_own_hook_reads_in_each_step(train):
    """What this is for; when it fails, MMEngine has mended it."""
    _, read = train('eager', 'RuntimeInfoHook')
    assert min(read) == len(LOSSES)


@pytest.mark.parametrize('logger', [5, 1000])
def test_the_log_and_the_weights_are_the_same(train, logger):
    """Of 18 iterations; 5 leaves a rest that MMEngine logs at the end, 1000 logs nothing else."""
    lazy, _ = train('lazy', 'LazyRuntimeInfoHook', logger=logger)
    eager, _ = train('eager', 'RuntimeInfoHook', logger=logger)
    assert history(lazy.message_hub) == history(eager.message_hub)
    assert all(len(values) == ITERATIONS for values in history(lazy.message_hub).values())
    assert logged(lazy) == logged(eager) and 'grad_norm' in logged(lazy)[-1]
    for ours, theirs in zip(lazy.model.parameters(), eager.model.parameters()):
        assert torch.equal(ours, theirs)


def test_gradients_are_clipped_all_the_same(train):
    tight, _ = train('tight', 'LazyRuntimeInfoHook', clip_grad=dict(max_norm=1e-3))
    eager, _ = train('eager', 'RuntimeInfoHook', clip_grad=dict(max_norm=1e-3))
    loose, _ = train('loose', 'LazyRuntimeInfoHook', clip_grad=dict(max_norm=1e9))
    weights = [runner.model.backbone.branch.cls_token for runner in (tight, eager, loose)]
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])
    assert max(history(tight.message_hub)['train/grad_norm']) > 1e-3  # before it is clipped


def test_clipping_by_value_has_no_norm(train):
    runner, _ = train('value', 'LazyRuntimeInfoHook', clip_grad=dict(
        type='value', clip_value=1))
    assert 'train/grad_norm' not in runner.message_hub.log_scalars


def test_a_checkpoint_holds_the_history_up_to_it(train):
    """Also where it is due between two entries of the log."""
    runner, _ = train('kept', 'LazyRuntimeInfoHook', checkpoint=4)
    saved = torch.load(Path(runner.work_dir, 'iter_16.pth'), weights_only=False)
    scalars = saved['message_hub']['log_scalars']
    assert {name: scalars[name].data[0].tolist() for name in LOSSES} == {
        name: values[:16] for name, values in history(runner.message_hub).items()}


def test_no_graph_is_kept_between_two_readings(train, monkeypatch):
    kept = []
    read = LazyRuntimeInfoHook.read
    monkeypatch.setattr(LazyRuntimeInfoHook, 'read', lambda self, runner: (
        kept.extend(value for _, value in self.pending), read(self, runner)))
    train('graph', 'LazyRuntimeInfoHook')
    assert len(kept) == len(LOSSES) * ITERATIONS
    assert not any(value.requires_grad for value in kept)
