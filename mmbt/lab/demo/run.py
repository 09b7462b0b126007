"""The steps of the demo: what ``mmbt demo`` does."""
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from mmbt.files.lock import Lock
from mmbt.files.shipped import shipped
from mmbt.version import __version__

from .. import forks
from ..ablation.sources import made_by
from .report import write_report

Main = Callable[[list[str]], object]
OUT = Path('work_dirs/demo')
SMALL = ('--train', '32', '--test', '48', '--stills', '128')  # a batch an epoch, two a test
PACKAGES = ('torch', 'mmengine', 'mmaction2', 'open_clip_torch', 'transformers', 'av')
CLIP, BRANCH = OUT / 'clip/epoch_16.pth', OUT / 'branch/epoch_20.pth'
TESTS = {
    'bt_adapter': (BRANCH, ('demo_retrieval', 'demo_recognition')),
    'frame_mean': (CLIP, ('demo_retrieval_frame_mean', 'demo_recognition_frame_mean')),
}


def enter(folder: Path) -> None:
    """Go where everything is to be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f'error: --small {folder}: {error.strerror}; name a folder')
    os.chdir(folder)  # the configs' paths begin where they are run


def run(command: Main, title: str, *arguments: object) -> float:
    """Run a sub-command of ``mmbt``, in a fork; return the seconds that it took."""
    words = [str(argument) for argument in arguments]
    print(f'\n=== {title}: mmbt {" ".join(words)}', flush=True)
    begin = time.time()
    program = [str(shipped('tools') / 'mmbt')]
    if forks.run(forks.Command(words, program, command)):
        sys.exit(f'error: {title} failed, see above')
    return time.time() - begin


def read_metrics(config: str) -> dict:
    """The metrics that ``mmbt test`` logged last for a config."""
    logs = sorted((OUT / config.removeprefix('demo_')).glob('*/*.json'))
    logs = [log for log in logs if log.parent.name == log.stem]
    return json.loads(logs[-1].read_text())


def versions() -> dict:
    """What the numbers were made by: mmbt, its code, and libraries."""
    return {'mmbt': __version__, 'mmbt sources': made_by()['sources'],
            **{package: version(package) for package in PACKAGES}}


def machine() -> dict:
    """What the timings were taken on, and when."""
    import torch
    return dict(
        date=time.strftime('%Y-%m-%d'),
        processor=platform.processor() or platform.machine(),
        cores=os.cpu_count(),
        threads=torch.get_num_threads(),
        python=platform.python_version(),
        system=platform.system())


def run_demo(command: Main, seed: int = 0, small: Path | None = None) -> None:
    """Run every step, then write the report, in ``work_dirs/demo``, alone in that folder.

    Args:
        command: Does what the words after ``mmbt`` say.
        seed: Of everything.
        small: A folder for a tiny world, in the place of the working folder.

    Raises:
        SystemExit: With one line, where a step fails or another demo runs there.
    """
    enter(small or Path())
    with Lock(OUT / 'demo.lock', str((small or Path()) / OUT),
              remedy='wait for it, or use --small DIR'):
        run_steps(command, seed, small)


def run_steps(command: Main, number: int, small: Path | None) -> None:
    """Run every step, then write the report."""
    configs = Path(os.path.relpath(shipped('configs'))) / 'demo'
    begin, seed = time.time(), ('--seed', number)
    seconds = {}
    seconds['world'] = run(command, '1 of 4, the world', 'prepare', 'world', OUT / 'world',
                           *seed, *(SMALL if small else ()))
    seconds['clip'] = run(command, '2 of 4, CLIP on still pictures', 'train',
                          configs / 'demo_clip.py', *seed)
    seconds['branch'] = run(command, '3 of 4, the branch on videos', 'train',
                            configs / 'demo_pretrain.py', *seed)
    tests = time.time()
    runs = {}
    for name, (checkpoint, names) in TESTS.items():
        metrics = {}
        for config in names:
            run(command, f'4 of 4, {config}', 'test', configs / f'{config}.py', checkpoint)
            metrics.update(read_metrics(config))
        features = OUT / names[0].removeprefix('demo_') / 'features.npz'
        runs[name] = dict(metrics=metrics, features=str(features))
    seconds['test'] = time.time() - tests
    seconds['total'] = time.time() - begin
    report(number, small, runs, seconds)


def report(seed: int, small: Path | None, runs: dict, seconds: dict) -> None:
    """Write the report and print its headline."""
    scalars = {
        name: str(sorted((OUT / name).glob('*/vis_data/scalars.json'))[-1])
        for name in ('clip', 'branch')
    }
    again = f'mmbt demo --small {small} --seed ' if small else 'make demo SEED='
    write_report(
        str(OUT), runs,
        dict(
            seed=seed,
            command=again,
            world=str(OUT / 'world'),
            seconds={key: round(value, 1) for key, value in seconds.items()},
            versions=versions(),
            machine=machine(),
            scalars=scalars))
    print('\n                          BT-Adapter   frame-mean CLIP')
    for key, scale in (('retrieval/t2v_R1', 1), ('retrieval/v2t_R1', 1), ('pairs/acc', 1),
                       ('acc/top1', 100)):
        ours, base = (runs[name]['metrics'][key] * scale for name in ('bt_adapter', 'frame_mean'))
        print(f'{key:24s} {ours:11.1f} {base:17.1f}')
    page = (small or Path()) / OUT / 'report.html'
    print(f'\nLook at {page} ({seconds["total"]:.0f} s altogether)')
