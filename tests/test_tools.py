"""``mmbt train`` and ``mmbt test``: mmaction2's flags, and one line for what a user got wrong."""
import os
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config

import mmbt  # noqa: F401
import toys
from mmbt.cli import train
from mmbt.engine.launch import describe

from .support.forked import run_script
from .support.tools import ROOT, run

pytestmark = pytest.mark.slow


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A small config in a folder that is not the checkout."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    path = tmp_path / f'{tmp_path.name}.py'
    path.write_text(toys.CONFIG)
    (tmp_path / 'broken.py').write_text('model = (\n')
    return path


@pytest.mark.filterwarnings('ignore')
def test_training_and_testing_write_to_the_folder_named_after_the_config(config, monkeypatch):
    assert run(monkeypatch, 'train', config, '--cfg-options', 'train_cfg.max_epochs=1') is None
    work_dir = Path('work_dirs', config.stem)
    assert run(monkeypatch, 'test', config, work_dir / 'epoch_1.pth', '--dump', 'seen.pkl') is None
    assert Path('seen.pkl').is_file() and (work_dir / 'last_checkpoint').is_file()


# What is said before the model is built, and weights are fetched for it.
UNBUILT = ['--cfg-options', 'model.type=NotToBeBuilt']


@pytest.mark.parametrize('name, args, line', [
    ('train', ['nope.py'], 'nope.py: No such file or directory'),
    ('train', ['{config}', '--cfg-options', 'dataset.path=a.csv',
               'train_dataloader.dataset.path=a.csv'], 'a.csv: line 3 has no caption'),
    ('train', ['{config}', '--cfg-options', 'model.type=Nope'], 'Nope is not in the .* registry'),
    ('train', ['broken.py'], 'broken.py: line [0-9]+: '),
    ('train', ['{config}', '--auto-scale-lr'], '--auto-scale-lr: .*add auto_scale_lr='),
    ('train', ['{config}', *UNBUILT, 'load_from=nope.pth'],
     'checkpoint nope.pth is missing'),
    ('train', ['{config}', '--resume', 'nope.pth', *UNBUILT], 'checkpoint nope.pth is missing'),
    ('test', ['{config}', 'nope.pth', *UNBUILT], 'checkpoint nope.pth is missing'),
    ('test', ['{config}', '{config}'], 'cannot be read as a checkpoint'),
    ('test', ['{config}', 'nope.pth', '--dump', 'seen.txt'], '--dump seen.txt: .*end in .pkl'),
    ('test', ['{config}', 'nope.pth', '--show'], '--show and --show-dir: .*VisualizationHook'),
])
@pytest.mark.filterwarnings('ignore')
def test_bad_input_is_one_line(config, monkeypatch, name, args, line):
    message = run(monkeypatch, name, *(arg.format(config=config) for arg in args))
    assert message.startswith('error: ') and '\n' not in message
    assert re.search(line, message)


def test_traceback_is_shown_on_request(config, monkeypatch):
    monkeypatch.setenv('MMBT_TRACEBACK', '1')
    with pytest.raises(FileNotFoundError):
        run(monkeypatch, 'train', 'nope.py')


@pytest.mark.parametrize('error, line', [
    (ValueError('class `A` in mmbt/a.py: class `B` in mmbt/b.py: k is 0'), 'k is 0'),
    (ValueError('two\n  lines'), 'two lines'),
    (ValueError('Caught ValueError in DataLoader worker process 1.\nOriginal Traceback:\n'
                '  File "a.py", line 1\nValueError: clip.mp4 has no frames'),
     'clip.mp4 has no frames'),
    (PermissionError(13, 'Permission denied', 'a.pth'),
     'a.pth: Permission denied; allow it, or name another place'),
    (ValueError('a.mp4 cannot be opened: Permission denied'),
     'a.mp4 cannot be opened: Permission denied'),
    (KeyError('A is not in the mmaction::model registry. Please check'),
     'A is not in the mmaction::model registry. Please check'),
    (KeyError('loss'), None), (TypeError('bug'), None), (RuntimeError('bug'), None)])
def test_only_bad_input_becomes_a_line(error, line):
    assert describe(error) == line


def flags(**changes):
    """The command line of ``mmbt train`` without any flag, but for changes."""
    names = ('resume', 'amp', 'no_validate', 'auto_scale_lr', 'seed', 'diff_rank_seed',
             'deterministic')
    return Namespace(**{**dict.fromkeys(names), 'cfg_options': [], 'launcher': 'none',
                        'config': 'a.py', **changes})


def merged(**changes):
    """toys.CONFIG with the flags written into it."""
    return train.merge_args(Config.fromstring(toys.CONFIG, '.py'), flags(**changes))


def test_flags_of_training_reach_the_config():
    cfg = merged(resume='auto', no_validate=True, amp=True, launcher='pytorch',
                 cfg_options=['train_cfg.max_epochs=7'])
    assert (cfg.resume, cfg.load_from, cfg.launcher) == (True, None, 'pytorch')
    assert cfg.val_cfg is cfg.val_dataloader is cfg.val_evaluator is None
    assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
    assert cfg.train_cfg.max_epochs == 7
    assert merged(resume='a.pth').load_from == 'a.pth'


def test_mixed_precision_of_an_unknown_optimizer_wrapper_is_refused():
    cfg = Config(dict(optim_wrapper=dict(type='OptimWrapperDict')))
    with pytest.raises(ValueError, match='--amp: optim_wrapper is a OptimWrapperDict'):
        train.use_mixed_precision(cfg)


def test_seed_of_the_config_stays_unless_one_is_given():
    assert merged().randomness == dict(seed=0)
    assert merged(seed=5, deterministic=True).randomness == dict(seed=5, deterministic=True)


def in_another_process(script, *args):
    """Run a script with the toys on its path, without this process's imports."""
    paths = [str(ROOT), str(ROOT / 'tests'), os.environ.get('PYTHONPATH', '')]
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    return subprocess.run([sys.executable, str(script), *map(str, args)], env=env, text=True,
                          capture_output=True, check=False)


def test_scripts_of_mmaction_run_the_configs_too(config):
    """They import mmbt through the config alone, before anything of mmaction.models."""
    script = Path(mmaction.__file__).parent / '.mim' / 'tools' / 'train.py'
    done = in_another_process(script, config, '--cfg-options', 'train_cfg.max_epochs=1',
                              '--work-dir', 'theirs')
    assert done.returncode == 0, done.stderr
    assert Path('theirs', 'epoch_1.pth').is_file()


def test_bad_input_ends_a_script_with_status_1_and_no_traceback(config):
    torch.save(dict(state_dict={}, run=print), 'stranger.pth')
    code, lines = run_script(ROOT / 'tools/test.py', config, 'stranger.pth')
    assert code.startswith(  # with such a text Python ends with status 1
        'error: stranger.pth holds code (GLOBAL print), refused: ')
    assert 'Traceback' not in '\n'.join(lines)


def test_a_misspelt_key_is_named_and_other_type_errors_keep_their_traceback():
    from mmaction.registry import MODELS
    with pytest.raises(TypeError) as caught:
        MODELS.build(dict(type='TubeMask', ration=0.5))
    assert describe(caught.value) == "TubeMask takes no 'ration'; check the key in the config"
    assert describe(TypeError('unsupported operand')) is None
