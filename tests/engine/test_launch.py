"""Processes of one training: started by torchrun's agent on the CPU, and the rank of each."""
import os

import pytest
from mmengine.runner import CheckpointLoader
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

import toys
from mmbt.cli import main

from ..support.forked import run_limited
from ..support.tools import run

pytestmark = pytest.mark.slow


def test_two_processes_train_over_gloo(tmp_path, monkeypatch):
    """Each sees half of the data, and the config's ``backend='nccl'`` does not stand in the way.

    The agent is the one that ``torchrun`` and mim run; its processes are forks here.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    config = tmp_path / 'toy.py'
    config.write_text(toys.CONFIG)
    launch = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=2, rdzv_backend='c10d', run_id='toys',
        rdzv_endpoint='127.0.0.1:0', max_restarts=0, start_method='fork')
    code, lines = run_limited(lambda: elastic_launch(launch, main)(
        ['train', str(config), '--launcher', 'pytorch']))
    assert code == '0', '\n'.join([*lines[-30:], code])
    weights = tmp_path / 'work_dirs' / 'toy' / 'epoch_2.pth'
    saved = CheckpointLoader.load_checkpoint(str(weights))
    batch_size, processes = 2, 2
    assert saved['meta']['iter'] == 2 * toys.NUM_SAMPLES // (batch_size * processes)
    assert not any(name.startswith('module.') for name in saved['state_dict'])


@pytest.mark.parametrize('command', ['train', 'test'])
@pytest.mark.parametrize('flag', ['--local-rank', '--local_rank'])
def test_the_rank_of_old_launchers_is_taken_unless_the_environment_has_one(
        command, flag, tmp_path, monkeypatch):
    """``python -m torch.distributed.launch`` gives it as a flag, torchrun as a variable."""
    words = [str(tmp_path / 'none.py'), *(['x.pth'] if command == 'test' else []), flag, '3']
    monkeypatch.setenv('LOCAL_RANK', '1')
    assert 'none.py' in run(monkeypatch, command, *words)
    assert os.environ['LOCAL_RANK'] == '1'
    monkeypatch.delenv('LOCAL_RANK')
    assert 'none.py' in run(monkeypatch, command, *words)
    assert os.environ['LOCAL_RANK'] == '3'
    monkeypatch.setenv('LOCAL_RANK', '0')  # undone with the rest
