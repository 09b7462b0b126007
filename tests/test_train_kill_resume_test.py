"""A user's day: train through mim, lose the machine, resume, and test, on a handful of clips."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmbt.cli import main
from mmbt.files.safe_load import weights_only
from mmbt.lab.world import generate_world

from .support.forked import fork, run_limited

pytestmark = pytest.mark.slow

CONFIGS = Path(__file__).parents[1] / 'configs'
MIM = Path(sys.executable).with_name('mim')
EPOCHS = 6


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a small world and two configs that inherit the demo's."""
    monkeypatch.chdir(tmp_path)
    generate_world(tmp_path / 'work_dirs/demo/world', train=24, test=12, stills=0)
    for name, extra in (('demo_pretrain', train_changes()), ('demo_retrieval', '')):
        base = CONFIGS / 'demo' / f'{name}.py'
        (tmp_path / f'small_{name}.py').write_text(f'_base_ = [{str(base)!r}]\n{extra}')
    return tmp_path


def train_changes():
    return ('model = dict(trunk=dict(pretrained=None))\n'
            'train_dataloader = dict(batch_size=4)\n'
            f'train_cfg = dict(max_epochs={EPOCHS})\n'
            'default_hooks = dict(checkpoint=dict(interval=1), logger=dict(interval=2))\n'
            "work_dir = 'run'\n")


def mim(*arguments, cwd):
    """Start mim in a process group of its own."""
    return subprocess.Popen([str(MIM), *map(str, arguments)], cwd=cwd, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def finish(process, minutes=5):
    output, _ = process.communicate(timeout=60 * minutes)
    assert process.returncode == 0, output[-3000:]
    return output


def finish_in_fork(*words):
    """Run ``mmbt`` as mim does, but for Python's start; return what it printed."""
    code, lines = run_limited(lambda: main(list(words)))
    assert code == '0', lines[-30:]
    return '\n'.join(lines)


def kill_once_there(pid, path):
    """Kill a whole group with SIGKILL as soon as a file is there."""
    deadline = time.time() + 300
    while not path.exists():
        assert os.waitpid(pid, os.WNOHANG) == (0, 0), 'it ended by itself'
        assert time.time() < deadline, f'{path} never came'
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def read(path):
    with weights_only():
        return torch.load(path, map_location='cpu')


def test_train_kill_resume_test(project):
    run = project / 'run'
    with mim('train', 'mmbt', 'small_demo_pretrain.py', cwd=project) as process:
        kill_once_there(process.pid, run / 'last_checkpoint')
    assert not (run / f'epoch_{EPOCHS}.pth').exists()
    stopped_at = int((run / 'last_checkpoint').read_text().split('epoch_')[1].split('.')[0])

    output = finish_in_fork('train', 'small_demo_pretrain.py', '--resume')
    assert f'resumed epoch: {stopped_at}' in output
    assert f'Epoch(train)  [{stopped_at}]' not in output  # none is trained twice
    last = read(run / f'epoch_{EPOCHS}.pth')
    assert last['meta']['epoch'] == EPOCHS and last['meta']['iter'] == EPOCHS * 24 // 4
    first = read(run / f'epoch_{stopped_at}.pth')['state_dict']
    for key, value in last['state_dict'].items():
        frozen = key.startswith('backbone.trunk.')
        assert torch.equal(value, first[key]) == frozen, key

    finish(mim('test', 'mmbt', 'small_demo_retrieval.py', '--checkpoint', f'run/epoch_{EPOCHS}.pth',
               '--work-dir', 'tested', cwd=project))
    log, = (project / 'tested').glob('*/*.json')
    metrics = json.loads(log.read_text())
    assert 1 <= metrics['retrieval/t2v_MnR'] <= 12 and 0 <= metrics['pairs/acc'] <= 100
    assert metrics['retrieval/t2v_R10'] >= metrics['retrieval/t2v_R1']


def test_a_kill_within_an_epoch_costs_no_more_than_since_the_last_checkpoint(project):
    """With the hook of pretrain_webvid.py, here at every second iteration of 24."""
    hooks = Config.fromfile(CONFIGS / 'pretrain_webvid.py').custom_hooks
    next(hook for hook in hooks if hook.type == 'CheckpointHook').interval = 2
    config = project / 'small_demo_pretrain.py'
    config.write_text(config.read_text() + f'custom_hooks = {[dict(hook) for hook in hooks]}\n'
                      "sampler = dict(type='ResumableSampler')\n"
                      'train_dataloader = dict(batch_size=1, sampler=sampler)\n'
                      "train_cfg = dict(type='ResumableTrainLoop', max_epochs=1)\n")
    run = project / 'run'
    kill_once_there(fork(lambda: main(['train', config.name])), run / 'iter_4.pth')
    assert not (run / 'epoch_1.pth').exists()
    finish_in_fork('train', config.name, '--resume')
    last = read(run / 'epoch_1.pth')
    assert last['meta']['iter'] == 24  # none is trained twice
    # The schedule went on and ended, after the 24 steps that it was made for.
    assert last['param_schedulers'][-1]['last_step'] == 23


def test_a_config_is_found_by_its_name_from_another_folder(project):
    shutil.rmtree(project / 'work_dirs')
    process = mim('train', 'mmbt', 'demo_clip.py', cwd=project)
    output, _ = process.communicate(timeout=300)
    assert process.returncode != 0
    assert 'error: ' in output and 'stills.json' in output.split('error: ')[-1].splitlines()[0]
