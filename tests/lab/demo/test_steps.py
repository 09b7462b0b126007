"""``mmbt demo``: the steps that it runs, and where. test_small_demo.py runs all of them."""
import os

import pytest

from mmbt import cli
from mmbt.lab import forks
from mmbt.lab.demo import run as demo

from ...support.tools import MMBT, ROOT, run

STEPS = ['1 of 4, the world', '2 of 4, CLIP on still pictures', '3 of 4, the branch on videos',
         '4 of 4, demo_retrieval', '4 of 4, demo_recognition', '4 of 4, demo_retrieval_frame_mean',
         '4 of 4, demo_recognition_frame_mean']
COMMANDS = [
    'prepare world work_dirs/demo/world --seed 7',
    'train configs/demo/demo_clip.py --seed 7',
    'train configs/demo/demo_pretrain.py --seed 7',
    'test configs/demo/demo_retrieval.py work_dirs/demo/branch/epoch_20.pth',
    'test configs/demo/demo_recognition.py work_dirs/demo/branch/epoch_20.pth',
    'test configs/demo/demo_retrieval_frame_mean.py work_dirs/demo/clip/epoch_16.pth',
    'test configs/demo/demo_recognition_frame_mean.py work_dirs/demo/clip/epoch_16.pth',
]


@pytest.fixture
def main(monkeypatch):
    """Run the tool with arguments while its steps only pretend; return (command, folder) of each.

    The step whose number is ``failing`` ends with an error.
    """
    monkeypatch.chdir(os.getcwd())  # as before when the test is over

    def main(*arguments, failing=None):
        steps = []

        def pretend(command):
            assert command.main is cli.main and command.program == [str(MMBT)]
            steps.append((' '.join(command.words), os.getcwd()))
            return int(len(steps) - 1 == failing)

        monkeypatch.setenv('PYTORCH_NVML_BASED_CUDA_CHECK', '1')
        monkeypatch.setattr(forks, 'run', pretend)
        monkeypatch.setattr(demo, 'read_metrics', lambda config: {})
        monkeypatch.setattr(demo, 'report', lambda *_: None)
        code = run(monkeypatch, 'demo', *arguments)
        return steps if code is None else [*steps, code]
    return main


def test_the_steps_run_in_the_working_folder_unless_they_are_small(main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def commands(here):
        return [command.replace('configs/', f'{os.path.relpath(ROOT, here)}/configs/')
                for command in COMMANDS]
    assert main('--seed', 7) == [(command, str(tmp_path)) for command in commands(tmp_path)]
    first, *rest = commands(tmp_path / 'new')
    small = [f'{first} --train 32 --test 48 --stills 128', *rest]
    assert main('--seed', 7, '--small', 'new') == [(command, str(tmp_path / 'new'))
                                                   for command in small]


@pytest.mark.parametrize('failing', range(len(STEPS)))
def test_a_failed_step_is_one_line_and_the_last(main, failing):
    *steps, code = main(failing=failing)
    assert len(steps) == failing + 1
    assert code == f'error: {STEPS[failing]} failed, see above'


def test_a_small_demo_wants_a_folder(main, tmp_path):
    path = tmp_path / 'file'
    path.touch()
    assert main('--small', path) == [f'error: --small {path}: File exists; name a folder']


def test_the_report_of_a_whole_demo_says_how_to_repeat_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ('clip', 'branch'):
        scalars = demo.OUT / name / '20260101_000000/vis_data/scalars.json'
        scalars.parent.mkdir(parents=True)
        scalars.touch()
    written = []
    monkeypatch.setattr(demo, 'write_report', lambda *given: written.append(given))
    metrics = {'retrieval/t2v_R1': 67.08, 'retrieval/v2t_R1': 64.58, 'pairs/acc': 89.6,
               'acc/top1': 0.4583}
    runs = {model: dict(metrics=metrics) for model in ('bt_adapter', 'frame_mean')}
    demo.report(7, None, runs, dict(total=532.96))
    (out, given, meta), = written
    assert (out, given, meta['seconds']) == ('work_dirs/demo', runs, {'total': 533.0})
    assert meta['command'] + str(meta['seed']) == 'make demo SEED=7'
    printed = capsys.readouterr().out
    assert 'acc/top1                        45.8              45.8' in printed
    assert printed.endswith('\nLook at work_dirs/demo/report.html (533 s altogether)\n')
