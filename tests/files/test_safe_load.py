"""One's own runs resume; a file from a stranger runs no code."""
import builtins
import os
import pickle
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader, Runner, load_checkpoint
from safetensors.torch import save

import mmbt  # noqa: F401
import toys
from mmbt.files.safe_load import read_checkpoint, weights_only

pytestmark = pytest.mark.slow


def train(work_dir, **changes):
    """Run toys.CONFIG in this process for three epochs and return the runner."""
    cfg = Config.fromstring(toys.CONFIG, '.py')
    cfg.merge_from_dict({'work_dir': str(work_dir), 'train_cfg.max_epochs': 3, **changes})
    cfg.experiment_name = str(work_dir)
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.mark.parametrize('wrapper', ['OptimWrapper', 'AmpOptimWrapper'])
@pytest.mark.filterwarnings('ignore')
def test_resumed_run_ends_like_one_that_was_not_stopped(tmp_path, wrapper):
    """Weights, their average, optimizer, schedules and log history all come back."""
    changes = {'optim_wrapper.type': wrapper}
    whole = train(tmp_path / 'whole', **changes)
    stopped = str(tmp_path / 'whole' / 'epoch_2.pth')
    resumed = train(tmp_path / 'resumed', resume=True, load_from=stopped, **changes)

    assert (resumed.epoch, resumed.iter) == (whole.epoch, whole.iter) == (3, 12)
    ends = [CheckpointLoader.load_checkpoint(str(tmp_path / name / 'epoch_3.pth'))
            for name in ('whole', 'resumed')]
    for part in ('state_dict', 'ema_state_dict'):
        for name, value in ends[0][part].items():
            assert torch.equal(value, ends[1][part][name]), name
    for one, other in zip(whole.param_schedulers, resumed.param_schedulers):
        assert one.state_dict() == other.state_dict()
    losses = [run.message_hub.get_scalar('train/loss').data[0] for run in (whole, resumed)]
    assert np.array_equal(*losses) and len(losses[0]) == 12


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def attacks(touched):
    """Objects that would create the file ``touched`` if they were unpickled."""
    make = f'import pathlib; pathlib.Path({str(touched)!r}).touch()'
    yield 'system', Calls(os.system, f'touch {touched}')
    yield 'exec', Calls(builtins.exec, make)
    yield 'eval', Calls(builtins.eval, f'open({str(touched)!r}, "w")')
    yield 'method', Calls(getattr, HistoryBuffer, '__init__')
    yield 'globals', Calls(getattr, Calls(getattr, HistoryBuffer, 'mean'), '__globals__')
    yield 'module', Calls(getattr, OneCycleParamScheduler, '__init_subclass__')
    yield 'scheduler', Calls(OneCycleParamScheduler, None)
    yield 'numpy', Calls(np.load, str(touched))


NAMES = [name for name, _ in attacks('')]


@pytest.mark.parametrize('plain_pickle', [False, True])
@pytest.mark.parametrize('name', NAMES)
def test_code_in_a_checkpoint_is_refused_in_one_line(tmp_path, monkeypatch, name, plain_pickle):
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')  # the remedy found on the web
    path, touched = tmp_path / 'stranger.pth', tmp_path / 'touched'
    content = dict(state_dict={}, extra=dict(attacks(touched))[name])
    if plain_pickle:
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, path)

    with pytest.raises(ValueError) as refusal:
        load_checkpoint(torch.nn.Linear(1, 1), str(path))

    assert not touched.exists()
    message = str(refusal.value)
    assert message.startswith(f'{path} ') and '\n' not in message
    if not plain_pickle:
        assert 'holds code (' in message and 'refused' in message
    assert os.environ['TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'] == '1'
    assert 'TORCH_FORCE_WEIGHTS_ONLY_LOAD' not in os.environ


def test_config_in_a_checkpoint_is_not_run_on_resuming(tmp_path):
    """mmengine's Runner runs ``meta['config']`` as Python."""
    train(tmp_path / 'run', **{'train_cfg.max_epochs': 1})
    path, touched = tmp_path / 'run' / 'epoch_1.pth', tmp_path / 'touched'
    content = CheckpointLoader.load_checkpoint(str(path))
    content['meta']['config'] = f'import os; os.system("touch {touched}")'
    torch.save(content, path)
    resumed = train(tmp_path / 'again', resume=True, load_from=str(path))
    assert resumed.epoch == 3 and not touched.exists()


def test_log_history_in_a_checkpoint_changes_nothing_for_others(tmp_path):
    path = str(tmp_path / 'stranger.pth')
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    history._statistics_methods = dict(mean=HistoryBuffer.max)
    torch.save(dict(history=history), path)
    CheckpointLoader.load_checkpoint(path)
    assert HistoryBuffer([1.0, 3.0], [1, 1]).statistics('mean') == 2


def test_every_source_of_checkpoints_is_guarded(tmp_path):
    """mmengine fetches URLs through torch.hub, which asks for ``weights_only=False``."""
    path, touched = tmp_path / 'stranger.pth', tmp_path / 'touched'
    torch.save(Calls(os.system, f'touch {touched}'), path)

    @CheckpointLoader.register_scheme('careless://')
    def load_from_careless(filename, map_location):
        return torch.load(path, map_location=map_location, weights_only=False)

    try:
        with pytest.raises(ValueError, match=r'careless://x holds code \(GLOBAL posix.system\)'):
            CheckpointLoader.load_checkpoint('careless://x')
        assert not touched.exists()
    finally:
        del CheckpointLoader._schemes['careless://']


def test_records_of_numpy_and_mmengine_load(tmp_path):
    path = str(tmp_path / 'own.pth')
    history = HistoryBuffer([1.0, 3.0], [1, 1])
    torch.save(dict(
        weight=torch.arange(3), score=np.float64(0.5), count=np.int64(7), flag=np.bool_(True),
        palette=np.arange(6, dtype='f4').reshape(2, 3), meta=ConfigDict(a=dict(b=1)),
        history=history, anneal=OneCycleParamScheduler._annealing_cos), path)

    loaded = CheckpointLoader.load_checkpoint(path)

    assert loaded['weight'].tolist() == [0, 1, 2]
    assert (loaded['score'], loaded['count'], loaded['flag']) == (0.5, 7, True)
    assert loaded['palette'].dtype == np.float32 and loaded['palette'].sum() == 15
    assert loaded['meta'] == {'a': {'b': 1}}
    assert loaded['history'].mean() == 2 and loaded['history'].statistics('max') == 3
    assert loaded['anneal'] is OneCycleParamScheduler._annealing_cos


def test_nothing_is_allowed_outside_the_loader(tmp_path):
    path = tmp_path / 'own.pth'
    torch.save(dict(history=HistoryBuffer([1.0], [1])), path)
    CheckpointLoader.load_checkpoint(str(path))
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


@pytest.mark.parametrize('content', [b'', b'not a checkpoint', b'PK\x03\x04 cut short'])
def test_file_that_is_no_checkpoint_is_named_in_one_line(tmp_path, content):
    path = tmp_path / 'broken.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf'^{path} cannot be read as a checkpoint \(.*whole\?$'):
        CheckpointLoader.load_checkpoint(str(path))


def test_missing_file_is_still_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='nope.pth can not be found'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'nope.pth'))


class OwnRecord:
    """Something that one's own torch.load may make."""

    number = 7


@pytest.mark.parametrize('nested', [False, True])
def test_another_threads_own_load_is_torchs(tmp_path, nested):
    """It waits for the block to be over; a thread of the library that is called inside does not."""
    path = tmp_path / 'own.pth'
    torch.save(OwnRecord(), path)
    original, found, begin = torch.load, {}, threading.Event()

    def load(name):
        begin.wait(20)
        try:
            found[name] = torch.load(path, weights_only=False).number
        except ValueError as error:
            found[name] = str(error)

    before = threading.Thread(target=load, args=('before',))
    before.start()
    with weights_only(), weights_only() if nested else nullcontext():
        inside = threading.Thread(target=load, args=('inside',))
        inside.start()
        begin.set()
        inside.join(20)
        assert f'{path} holds code' in found['inside'] and 'before' not in found
    before.join(20)
    assert found['before'] == 7 and torch.load is original


@pytest.mark.parametrize('mapped', [False, True])
@pytest.mark.parametrize('suffix', ['pth', 'safetensors'])
def test_a_name_that_is_not_utf8(tmp_path, suffix, mapped):
    path = os.fsencode(tmp_path) + b'/n\xff.' + suffix.encode()
    with open(path, 'wb') as file:
        if suffix == 'pth':
            torch.save(dict(a=torch.arange(3)), file)
        else:
            file.write(save(dict(a=torch.arange(3))))
    assert read_checkpoint(os.fsdecode(path), mapped=mapped)['a'].tolist() == [0, 1, 2]
