"""tools/demo.py: the steps that it runs, and where. test_small_demo.py runs all of them."""
import importlib.util
import os
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmbt.lab.demo import report as demo_report

TOOL = Path(__file__).parents[3] / 'tools/demo.py'
STEPS = ['1 of 4, the world', '2 of 4, CLIP on still pictures', '3 of 4, the branch on videos',
         '4 of 4, demo_retrieval', '4 of 4, demo_recognition', '4 of 4, demo_retrieval_frame_mean',
         '4 of 4, demo_recognition_frame_mean']
COMMANDS = [
    'tools/data/make_world.py work_dirs/demo/world --seed 7',
    'tools/train.py configs/demo/demo_clip.py --seed 7',
    'tools/train.py configs/demo/demo_pretrain.py --seed 7',
    'tools/test.py configs/demo/demo_retrieval.py work_dirs/demo/branch/epoch_20.pth',
    'tools/test.py configs/demo/demo_recognition.py work_dirs/demo/branch/epoch_20.pth',
    'tools/test.py configs/demo/demo_retrieval_frame_mean.py work_dirs/demo/clip/epoch_16.pth',
    'tools/test.py configs/demo/demo_recognition_frame_mean.py work_dirs/demo/clip/epoch_16.pth',
]


@pytest.fixture
def tool(monkeypatch):
    """The tool as a module; the working folder is as before when the test is over."""
    monkeypatch.chdir(os.getcwd())
    spec = importlib.util.spec_from_file_location('tool_demo', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


@pytest.fixture
def main(tool, monkeypatch):
    """Run the tool with arguments while its steps only pretend; return (command, folder) of each.

    The step whose number is ``failing`` ends with an error.
    """
    def main(*arguments, failing=None):
        steps = []

        def pretend(command, **_):
            steps.append((' '.join(command[1:]), os.getcwd()))
            return SimpleNamespace(returncode=int(len(steps) - 1 == failing))

        monkeypatch.setattr(subprocess, 'run', pretend)
        monkeypatch.setattr(tool, 'read_metrics', lambda config: {})
        monkeypatch.setattr(tool, 'report', lambda *_: None)
        monkeypatch.setattr(sys, 'argv', ['demo.py', *map(str, arguments)])
        try:
            tool.main()
        except SystemExit as end:
            steps.append(end.code)
        return steps
    return main


def test_the_steps_run_in_the_checkout_unless_they_are_small(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = TOOL.parents[1]
    assert main('--seed', 7) == [(command, str(root)) for command in COMMANDS]

    monkeypatch.chdir(tmp_path)
    small = main('--seed', 7, '--small', 'new')
    to_root = os.path.relpath(root, tmp_path / 'new')
    changed = [re.sub('(tools|configs)/', rf'{to_root}/\1/', command, count=2)
               for command in COMMANDS]
    changed[0] += ' --train 32 --test 48 --stills 128'
    assert small == [(command, str(tmp_path / 'new')) for command in changed]


@pytest.mark.parametrize('failing', range(len(STEPS)))
def test_a_failed_step_is_one_line_and_the_last(main, failing):
    *steps, code = main(failing=failing)
    assert len(steps) == failing + 1
    assert code == f'error: {STEPS[failing]} failed, see above'


def test_a_small_demo_wants_a_folder(main, tmp_path):
    path = tmp_path / 'file'
    path.touch()
    assert main('--small', path) == [f'error: --small {path}: File exists; name a folder']


def test_the_report_of_a_whole_demo_says_how_to_repeat_it(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ('clip', 'branch'):
        scalars = tool.OUT / name / '20260101_000000/vis_data/scalars.json'
        scalars.parent.mkdir(parents=True)
        scalars.touch()
    written = []
    monkeypatch.setattr(demo_report, 'write_report', lambda *given: written.append(given))
    metrics = {'retrieval/t2v_R1': 67.08, 'retrieval/v2t_R1': 64.58, 'pairs/acc': 89.6,
               'acc/top1': 0.4583}
    runs = {model: dict(metrics=metrics) for model in ('bt_adapter', 'frame_mean')}
    tool.report(Namespace(small=None, seed=7), runs, dict(total=532.96))
    (out, given, meta), = written
    assert (out, given, meta['seconds']) == ('work_dirs/demo', runs, {'total': 533.0})
    assert meta['command'] + str(meta['seed']) == 'make demo SEED=7'
    printed = capsys.readouterr().out
    assert 'acc/top1                        45.8              45.8' in printed
    assert printed.endswith('\nLook at work_dirs/demo/report.html (533 s altogether)\n')
