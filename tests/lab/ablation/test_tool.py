"""tools/ablate.py: what is left to run, and one line for whatever ends it."""
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

from mmbt.cli import ablate as command
from mmbt.lab.ablation import schedule
from mmbt.lab.ablation.tables import TABLES
from mmbt.lab.forks import Command

from ...support.tools import MMBT, parse
from ...support.tools import run as run_command

pytestmark = pytest.mark.slow

GOES_ON = 'the same command goes on where it stopped'


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the tool in this process; return what it ends with, None where all is well."""
    monkeypatch.chdir(tmp_path)
    for name in ('OMP_NUM_THREADS', 'PYTORCH_NVML_BASED_CUDA_CHECK'):
        monkeypatch.setenv(name, os.environ.get(name, '1'))  # as before when the test is over
    monkeypatch.setattr(schedule, 'fingerprint', lambda row, world: row)
    monkeypatch.setattr(schedule, 'data_fingerprint', lambda world: 'data')
    handlers = {each: signal.getsignal(each)
                for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell says so

    yield lambda *args: run_command(monkeypatch, 'ablate', *args)
    for each, handler in handlers.items():
        signal.signal(each, handler)


@pytest.fixture
def started(monkeypatch):
    """What the tool wants to be run: lists of titles."""
    started = []

    def run_all(commands, jobs, deadline, done):
        started.append([title for title, _, _ in commands])
        for title, _, _ in commands:
            done(title, 60.0)
        return True
    monkeypatch.setattr(schedule, 'run_all', run_all)
    return started


def finish(row, seed):
    """Leave a result of a row over moving shapes."""
    folder = Path(f'work_dirs/ablations/moving_shapes/seed{seed}/runs/{row}')
    folder.mkdir(parents=True)
    (folder / 'result.json').write_text(json.dumps(dict(metrics=dict(
        retrieval={'retrieval/t2v_R1': 40.0, 'retrieval/v2t_R1': 30.0, 'pairs/acc': 60.0},
        motion={'acc/top1': 0.5}, scene={'acc/top1': 0.25}))))


def test_help_is_instant():
    """It imports nothing that is slow."""
    code = f"""import runpy, sys
sys.argv = ['mmbt', 'ablate', '--help']
try:
    runpy.run_path({str(MMBT)!r}, run_name='__main__')
except SystemExit:
    print(sorted({{'torch', 'mmbt', 'mmengine', 'numpy'}} & set(sys.modules)))"""
    said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert said.stdout.endswith('[]\n')
    assert all(name in said.stdout for name in (*TABLES, 'moving_shapes', 'webvid', '--budget'))


def test_cores_and_gpus_are_left_to_the_rows_before_torch_is_imported(monkeypatch):
    monkeypatch.setattr('mmbt.cli.ablate.cores', lambda: 8)
    for given, jobs, threads in ((None, 1, '8'), (None, 3, '2'), (None, 9, '1'), ('5', 2, '5')):
        monkeypatch.setenv('PYTORCH_NVML_BASED_CUDA_CHECK', '')
        monkeypatch.delenv('PYTORCH_NVML_BASED_CUDA_CHECK')
        monkeypatch.setenv('OMP_NUM_THREADS', given or '')
        if given is None:
            monkeypatch.delenv('OMP_NUM_THREADS')
        command.before_import(parse('ablate', 'table7', '--jobs', jobs))
        assert os.environ['OMP_NUM_THREADS'] == threads
        assert os.environ['PYTORCH_NVML_BASED_CUDA_CHECK'] == '1'


def test_runs_what_is_left_and_writes_the_tables(run, started, capsys):
    finish('table7_vtc', 0)
    finish('table7_both', 1)
    assert run('table7', '--seeds', '2') is None
    prepared, rows = started
    assert prepared == ['moving_shapes, seed 0', 'moving_shapes, seed 1']
    assert rows == [f'table7_{row}, seed {seed}' for row, seed in (
        ('mbta', 0), ('mbca', 0), ('both', 0), ('vtc', 1), ('mbta', 1), ('mbca', 1))]
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == '1 of 6: table7_mbta, seed 0: 60 s, about 0 min left'
    assert lines[-3:] == [f'work_dirs/ablations/moving_shapes/table7.{kind}'
                          for kind in ('md', 'csv', 'png')]
    text = Path(lines[-3]).read_text()
    assert text.count('| 40.0 | 30.0 | 50.0 | 60.0 | 25.0 |') == 2  # scales are applied
    assert text.count('| not run |') >= 2


def test_nothing_is_left(run, started):
    for row in ('vtc', 'mbta', 'mbca', 'both'):
        finish(f'table7_{row}', 0)
    assert run('table7', 'table7', '--seeds', '1') is None
    assert started == [[], []]


def test_rows_that_the_world_lacks_are_not_run(run, started):
    assert run('fig3', '--seeds', '1') is None
    assert started[1] == [f'fig3_layers_{k}, seed 0' for k in (1, 2, 3, 4)]
    text = Path('work_dirs/ablations/moving_shapes/fig3.md').read_text()
    assert '| 8 layers | not run |' in text


def test_report_only(run, started):
    assert run('table6', 'table11', '--report-only', '--work-dir', 'elsewhere') is None
    assert not started and sorted(path.name for path in Path('elsewhere').glob('*.md')) == [
        'table11_combination.md', 'table11_projection.md', 'table6.md']


def test_rows_over_another_config(run, started, capsys):
    """Their configs are written; nothing is run."""
    assert run('table6', '--onto', 'zeroshot_k400') is None
    paths = [f'work_dirs/ablations/configs/table6_{row}_over_zeroshot_k400.py'
             for row in ('clip', 'separate_st', 'branch', 'interaction')]
    assert capsys.readouterr().out.splitlines() == paths and not started
    assert Config.fromfile(paths[1]).ablation == dict(row='table6_separate_st',
                                                      base='zeroshot_k400')
    end = run('table6', '--onto', 'moon')
    assert end.startswith('error: moon is no config file') and '\n' not in end


def test_a_spent_budget_is_told(run, capsys):
    assert run('table7', '--seeds', '1', '--budget', '0') is None
    assert f'the budget is spent: 0 of 4 rows are done; {GOES_ON}\n' in capsys.readouterr().out
    assert not list(Path('work_dirs').rglob('log.txt'))


def test_a_failed_row_is_one_line(run, monkeypatch):
    monkeypatch.setattr(schedule, 'preparation', lambda world, run: (
        'world', Command([], ['-c', 'raise SystemExit("error: no room")']), Path('log.txt')))
    assert run('table7') == 'error: world failed: no room (all of it in log.txt)'


def test_missing_data_is_one_line(run, started):
    end = run('table7', '--world', 'webvid')
    assert end.startswith('error: data/webvid/results_2M_train.csv is missing; the head of '
                          'configs/pretrain_webvid.py says') and '\n' not in end
    Path('data/webvid').mkdir(parents=True)
    Path('data/webvid/results_2M_train.csv').touch()
    assert 'data/msrvtt/test_JSFUSION.json is missing' in run('table7', '--world', 'webvid')
    assert not started


@pytest.mark.parametrize('args, line', [
    (['table9'], "invalid choice: 'table9'"), (['table7', '--jobs', '0'], '0 is below 1'),
    (['table7', '--seeds', '0'], '0 is below 1'), (['table7', '--world', 'moon'], "'moon'")])
def test_bad_arguments(args, line, run, capsys):
    assert run(*args) == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize('name', ['SIGINT', 'SIGTERM', 'SIGHUP'])
def test_a_signal_ends_the_rows_and_says_how_to_go_on(name, run, monkeypatch):
    """A row that tells its id, and sends the tool a signal."""
    code = f"""import os, pathlib, signal, time
pathlib.Path('pid').write_text(str(os.getpid()))
os.kill(os.getppid(), signal.{name})
time.sleep(60)"""
    monkeypatch.setattr(schedule, 'preparation', lambda world, run: (
        'world', Command([], ['-c', 'pass']), Path('log.txt')))
    monkeypatch.setattr(schedule, 'command', lambda run, world, processes: (
        'row', Command([], ['-c', code]), Path('log.txt')))
    assert run('table7') == f'interrupted; {GOES_ON}'
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path('pid').read_text()), 0)


def test_nohup_keeps_it_running(run):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert run('table6', '--report-only') is None
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
