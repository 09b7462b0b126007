"""Two processes, started as mim starts them, train one model on the CPU."""
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.runner import CheckpointLoader

import mmbt  # noqa: F401
import toys

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def free_port():
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def test_two_processes_train_over_gloo(tmp_path):
    """Each sees half of the data, and the config's ``backend='nccl'`` does not stand in the way."""
    config = tmp_path / 'toy.py'
    config.write_text(toys.CONFIG)
    env = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(ROOT / 'tests')]),
               OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='')
    done = subprocess.run(
        [sys.executable, '-m', 'torch.distributed.launch', '--nproc_per_node=2',
         f'--master_port={free_port()}', str(ROOT / 'tools' / 'train.py'), str(config),
         '--launcher', 'pytorch'],
        cwd=tmp_path, env=env, text=True, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    weights = tmp_path / 'work_dirs' / 'toy' / 'epoch_2.pth'
    saved = CheckpointLoader.load_checkpoint(str(weights))
    batch_size, processes = 2, 2
    assert saved['meta']['iter'] == 2 * toys.NUM_SAMPLES // (batch_size * processes)
    assert not any(name.startswith('module.') for name in saved['state_dict'])
