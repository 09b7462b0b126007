"""A run is resumed as it was trained: what is compared, what is refused, what may change."""
import json
import re
import shutil
import time
from pathlib import Path

import mmaction
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger

import toys
from mmbt.engine.resume_check import (
    check_resume,
    contents,
    differences,
    training_settings,
)
from mmbt.files.lock import Lock
from mmbt.files.safe_load import weights_only

from ..support.forked import fork_until_told, kill
from ..support.tools import ROOT, run

pytestmark = pytest.mark.slow

HOOKS = """
default_hooks.update(lock=dict(type='WorkDirLockHook'), check=dict(type='ResumeCheckHook'))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, end=4),
    dict(type='CosineAnnealingLR', T_max=6, by_epoch=True, convert_to_iter_based=True),
    dict(type='StepLR', step_size=2, gamma=0.5, by_epoch=True)]
allow_resume_changes = []
"""


def settings(change=lambda cfg: None, seed=1, world_size=8):
    """Those of pretraining on WebVid, with a change of the config."""
    cfg = Config.fromfile(ROOT / 'configs/pretrain_webvid.py')
    change(cfg)
    return training_settings(cfg, seed, world_size)


@pytest.fixture(scope='module')
def before():
    return settings()


@pytest.mark.parametrize('change, key, there, here', [
    (lambda cfg: cfg.optim_wrapper.optimizer.update(lr=1e-5), 'optim_wrapper.optimizer.lr',
     '2e-06', '1e-05'),
    (lambda cfg: cfg.optim_wrapper.update(accumulative_counts=2),
     'optim_wrapper.accumulative_counts', 'not set', '2'),
    (lambda cfg: cfg.param_scheduler.update(warmup=0.2), 'param_scheduler.warmup', '0.1', '0.2'),
    (lambda cfg: cfg.train_cfg.update(max_epochs=2), 'train_cfg.max_epochs', '1', '2'),
    (lambda cfg: cfg.train_dataloader.update(batch_size=40), 'train_dataloader.batch_size',
     '80', '40'),
    (lambda cfg: cfg.train_dataloader.dataset.pipeline[0].update(num_frames=4),
     'train_dataloader.dataset.pipeline.0.num_frames', '8', '4'),
    (lambda cfg: cfg.train_dataloader.dataset.update(ann_file='other.csv'),
     'train_dataloader.dataset.ann_file', '"results_2M_train.csv"', '"other.csv"'),
    (lambda cfg: cfg.model.mask.update(ratio=0.5), 'model.mask.ratio', '0.7', '0.5'),
    (lambda cfg: cfg.model.heads[0].update(temperature=0.1), 'model.heads.0.temperature',
     '0.01', '0.1'),
    (lambda cfg: cfg.model.trunk.update(pretrained='laion2b'), 'model.trunk.pretrained',
     '"openai"', '"laion2b"'),
    (lambda cfg: cfg.custom_hooks.append(dict(type='EMAHook', momentum=0.1)),
     'averaging.0.type', 'not set', '"EMAHook"'),
    (lambda cfg: cfg.auto_scale_lr.update(enable=True), 'auto_scale_lr.base_batch_size',
     'not set', '640'),
])
def test_what_changes_the_training_is_named(before, change, key, there, here):
    now = settings(change)
    assert differences(before, now)[0] == key
    with pytest.raises(ValueError) as caught:
        check_resume(before, now, (), 'run/iter_400.pth')
    assert str(caught.value).startswith(
        f'run/iter_400.pth was trained with other settings ({key} {there} there, {here} here')
    assert '\n' not in str(caught.value)
    assert check_resume(before, now, differences(before, now), 'a') == differences(before, now)


def test_seed_and_number_of_processes_are_compared(before):
    assert differences(before, settings(seed=2)) == ['randomness.seed']
    assert differences(before, settings(world_size=4)) == ['world_size']


def test_what_changes_nothing_passes(before):
    def change(cfg):
        cfg.work_dir, cfg.log_level, cfg.launcher, cfg.load_from = 'x', 'DEBUG', 'slurm', 'a.pth'
        cfg.train_dataloader.update(num_workers=0, persistent_workers=False, pin_memory=False)
        cfg.train_dataloader.dataset.update(data_root='/data/webvid',
                                            data_prefix=dict(video='/fast/videos'))
        cfg.train_dataloader.dataset.pipeline[0].update(cache=True)
        cfg.optim_wrapper.optimizer.update(fused=False)
        cfg.default_hooks.logger.update(interval=5)
        cfg.custom_hooks.pop()
        cfg.train_cfg.update(val_interval=3)
        cfg.test_pipeline = []
    assert differences(before, settings(change)) == []


def test_many_differences_are_counted_and_the_way_out_is_told(before):
    def change(cfg):
        cfg.optim_wrapper.optimizer.update(lr=1., betas=(0., 0.), weight_decay=0.)
        cfg.train_cfg.max_epochs = 9
    with pytest.raises(ValueError, match=re.escape(
            'there, 0.0 here; 1 more): resume with those')) as caught:
        check_resume(before, settings(change), (), 'a')
    assert str(caught.value).endswith('allow_resume_changes=optim_wrapper,train_cfg')


@pytest.mark.parametrize('allowed, left', [
    (True, 0), (['optim_wrapper', 'train_cfg'], 0), ('optim_wrapper', 1),
    (['optim_wrapper.optimizer.lr'], 1), (['optim_wrapper.opt', 'train_cfg'], 1), ((), 2),
    (None, 2)])
def test_keys_allow_what_is_below_them(allowed, left):
    before = {'optim_wrapper.optimizer.lr': '1', 'train_cfg.max_epochs': '1', 'model.a': '1'}
    now = {**before, 'optim_wrapper.optimizer.lr': '2', 'train_cfg.max_epochs': '2'}
    assert len(differences(before, now, allowed)) == left


def test_annotations_count_by_content_and_not_by_place(tmp_path):
    def of(root, **changes):
        dataset = dict(type='A', data_root=str(root), **{'ann_file': 'a.json', **changes})
        return training_settings(dict(train_dataloader=dict(dataset=dataset)), 0, 1)

    (tmp_path / 'one').mkdir()
    (tmp_path / 'one/a.json').write_text('{"a": ["x"]}')
    shutil.copytree(tmp_path / 'one', tmp_path / 'two')
    one = of(tmp_path / 'one')
    assert one == of(tmp_path / 'two') == of('', ann_file=str(tmp_path / 'two/a.json'))
    (tmp_path / 'two/a.json').write_text('{"a": ["y"]}')
    assert differences(one, of(tmp_path / 'two')) == ['train_dataloader.dataset.ann_file']
    assert contents(['no/b.txt', str(tmp_path / 'one/a.json')], '')[0] == 'b.txt'
    assert re.fullmatch(r'a\.json \([0-9a-f]{16}\)', contents(str(tmp_path / 'one/a.json'), ''))


def test_settings_are_plain_texts(before):
    assert all(type(key) is type(value) is str and len(value) < 200
               for key, value in before.items())
    json.dumps(before)
    with pytest.raises(ValueError, match='no readable record'):
        check_resume('words', before, (), 'a')


@pytest.fixture(scope='module')
def peace(tmp_path_factory):
    """A folder with a toy's config, and its training of three epochs of four iterations."""
    folder = tmp_path_factory.mktemp('peace')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv('LOCAL_RANK', '0')
        Path('toy.py').write_text(toys.CONFIG.replace('max_epochs=2', 'max_epochs=3') + HOOKS)
        assert train(patch, 'old') is None
    return folder


@pytest.fixture
def trained(peace, tmp_path, monkeypatch):
    """The same in the working folder, as ``old``, and as ``run``, cut off after an epoch."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    shutil.copytree(peace, tmp_path, dirs_exist_ok=True)
    shutil.copytree('old', 'run')
    for path in Path('run').glob('*epoch_[23].pth'):
        path.unlink()
    shutil.rmtree(next(Path('run').glob('2*')))
    Path('run/last_checkpoint').write_text('')


def train(monkeypatch, folder, *options, tool='train', resume=()):
    return run(monkeypatch, tool, 'toy.py', '--work-dir', folder, *resume, '--cfg-options',
               'default_hooks.checkpoint.max_keep_ckpts=9', *options)


def resume(monkeypatch, folder, *options):
    return train(monkeypatch, folder, *options, resume=['--resume'])


def last(folder):
    with weights_only():
        return torch.load(Path(folder, 'epoch_3.pth'))


def rates(checkpoint):
    """The optimizer's settings and where the schedules stand."""
    groups = [{k: v for k, v in group.items() if k != 'params'}
              for group in checkpoint['optimizer']['param_groups']]
    return groups, [{k: v for k, v in each.items() if not k.startswith('_')}
                    for each in checkpoint['param_schedulers']]


@pytest.fixture
def log(monkeypatch):
    """What is logged, line by line."""
    lines = []
    monkeypatch.setattr(MMLogger, 'callHandlers',
                        lambda self, record: lines.append(record.getMessage()))
    return lines


@pytest.mark.filterwarnings('ignore')
def test_another_rate_is_refused_or_takes_effect(trained, monkeypatch, log):
    asked = 'optim_wrapper.optimizer.lr=0.5'
    line = resume(monkeypatch, 'run', asked)
    assert line.startswith(f'error: {Path.cwd()}/run/epoch_1.pth was trained with other '
                           'settings (optim_wrapper.optimizer.lr 0.01 there, 0.5 here): resume ')
    assert not Path('run/epoch_2.pth').exists() and not Path('run/training.lock').exists()

    shutil.copytree('run', 'allowed')
    assert resume(monkeypatch, 'allowed', asked,
                  'allow_resume_changes=optim_wrapper.optimizer.lr') is None
    assert ('going on with other settings, as allow_resume_changes says: '
            'optim_wrapper.optimizer.lr 0.01 there, 0.5 here') in log
    assert train(monkeypatch, 'fresh', asked) is None
    ours, fresh = last('allowed'), last('fresh')
    assert rates(ours) == rates(fresh)
    assert ours['optimizer']['state'][0]['step'] == 12  # the moments went on
    assert not torch.equal(ours['state_dict']['fc.weight'], fresh['state_dict']['fc.weight'])

    assert resume(monkeypatch, 'run', 'train_dataloader.num_workers=1', 'log_level=DEBUG') is None
    assert rates(last('run')) == rates(last('old')) != rates(fresh)


@pytest.mark.filterwarnings('ignore')
def test_a_longer_run_has_the_schedule_of_its_config(trained, monkeypatch, log):
    longer = ('train_cfg.max_epochs=3', 'param_scheduler.1.T_max=3')
    line = resume(monkeypatch, 'run', *longer)
    assert 'param_scheduler.1.T_max 6 there, 3 here' in line
    assert resume(monkeypatch, 'run', *longer, 'allow_resume_changes=param_scheduler') is None
    assert train(monkeypatch, 'fresh', *longer) is None
    assert rates(last('run')) == rates(last('fresh'))


@pytest.mark.filterwarnings('ignore')
def test_it_is_refused_by_mmactions_own_tool_too(trained, monkeypatch, log):
    tool = Path(mmaction.__file__).parent / '.mim/tools/train.py'
    with pytest.raises(ValueError, match='weight_decay not set there, 1.0 here'):
        train(monkeypatch, 'run', 'optim_wrapper.optimizer.weight_decay=1.0', tool=tool,
              resume=['--resume'])


@pytest.mark.filterwarnings('ignore')
def test_a_checkpoint_without_a_record_goes_on_with_a_warning(trained, monkeypatch, log):
    path = Path('run/epoch_1.pth')
    with weights_only():
        checkpoint = torch.load(path)
    assert checkpoint['meta'].pop('training_settings')['optim_wrapper.optimizer.lr'] == '0.01'
    torch.save(checkpoint, path)
    assert resume(monkeypatch, 'run', 'optim_wrapper.optimizer.lr=0.5') is None
    assert any('does not say with which settings it was trained; not compared' in line
               for line in log)


@pytest.mark.filterwarnings('ignore')
def test_the_seed_is_the_checkpoints(trained, monkeypatch, log):
    assert 'randomness.seed 0 there, 7 here' in resume(monkeypatch, 'run', 'randomness.seed=7')
    assert resume(monkeypatch, 'run', 'randomness.seed=7',
                  'allow_resume_changes=randomness.seed') is None
    assert "the seed stays the checkpoint's: 0" in log
    assert last('run')['meta']['training_settings']['randomness.seed'] == '0'


@pytest.mark.filterwarnings('ignore')
def test_a_damaged_checkpoint_gives_way_to_the_one_before(trained, monkeypatch, log):
    assert resume(monkeypatch, 'run') is None
    data = Path('run/epoch_3.pth').read_bytes()
    Path('run/epoch_3.pth').write_bytes(data[:len(data) // 2])
    shutil.move('run', 'moved')  # the record names the old place
    assert resume(monkeypatch, 'moved') is None
    line, = [line for line in log if 'moved/epoch_3.pth (it is cut short' in line]
    assert line.endswith('/moved/epoch_2.pth')
    assert 'resumed epoch: 2, iter: 8' in log and not Path('run').exists()


@pytest.mark.filterwarnings('ignore')
def test_two_trainings_in_one_folder_are_one_too_many(trained, monkeypatch):
    """The second is refused; one of the same process that failed is not in the way."""
    def keep(told):
        with Lock('run/training.lock'):
            told()
            time.sleep(60)

    child = fork_until_told(keep)
    before = Path('run/epoch_1.pth').stat().st_mtime_ns
    line = resume(monkeypatch, 'run')
    assert re.match(f'error: {Path.cwd()}/run is being written by another run [(]process {child} '
                    'on [^\n]*; wait for it, or train with another --work-dir', line)
    assert Path('run/epoch_1.pth').stat().st_mtime_ns == before
    assert not Path('run/epoch_2.pth').exists()
    kill(child)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(toys.ToyModel, 'train_step', lambda *args, **kwargs: 1 / 0)
        resume(monkeypatch, 'run')
    assert resume(monkeypatch, 'run') is None
    assert not Path('run/training.lock').exists()
