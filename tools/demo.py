"""The whole paper in miniature: make a world, train CLIP and the branch, test, and report.

``make demo SEED=0``, or ``python tools/demo.py --seed 0``. Everything goes to work_dirs/demo; the
page to look at is work_dirs/demo/report.html. ``--small DIR`` runs the same steps and configs on a
tiny world, in DIR/work_dirs/demo.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = Path('work_dirs/demo')
SMALL = ('--train', '32', '--test', '48', '--stills', '128')  # a batch an epoch, two a test
PACKAGES = ('torch', 'mmengine', 'mmaction2', 'open_clip_torch', 'transformers', 'av')
CLIP, BRANCH = OUT / 'clip/epoch_16.pth', OUT / 'branch/epoch_20.pth'
TESTS = {
    'bt_adapter': (BRANCH, ('demo_retrieval', 'demo_recognition')),
    'frame_mean': (CLIP, ('demo_retrieval_frame_mean', 'demo_recognition_frame_mean')),
}


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--seed', type=int, default=0, help='seed of everything')
    parser.add_argument('--small', type=Path, metavar='DIR',
                        help='see in two minutes whether all steps work: a tiny world, whose '
                        'numbers mean nothing, in DIR/work_dirs/demo')
    return parser.parse_args()


def enter(folder: Path) -> Path:
    """Go where everything is to be written, and return the way from there to the project."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sys.exit(f'error: --small {folder}: {error.strerror}; name a folder')
    os.chdir(folder)  # the configs' paths begin where they are run
    return Path(os.path.relpath(ROOT))


def run(title: str, *arguments: object) -> float:
    """Run one of the project's tools, and return the seconds that it took."""
    command = [str(argument) for argument in arguments]
    print(f'\n=== {title}: python {" ".join(command)}', flush=True)
    begin = time.time()
    done = subprocess.run([sys.executable, *command])
    if done.returncode:
        sys.exit(f'error: {title} failed, see above')
    return time.time() - begin


def read_metrics(config: str) -> dict:
    """The metrics that ``tools/test.py`` logged last for a config."""
    logs = sorted((OUT / config.removeprefix('demo_')).glob('*/*.json'))
    logs = [log for log in logs if log.parent.name == log.stem]
    return json.loads(logs[-1].read_text())


def versions() -> dict:
    """What the numbers were made by: mmbt, its code, and libraries."""
    from mmbt.lab.ablation.sources import made_by
    from mmbt.version import __version__
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


def main() -> None:
    """Run the demo, alone in its folder."""
    args = parse_args()
    project = enter(args.small or ROOT)
    from mmbt.engine.launch import run_tool
    from mmbt.files.lock import Lock

    def work() -> None:
        with Lock(OUT / 'demo.lock', str((args.small or Path()) / OUT),
                  remedy='wait for it, or use --small DIR'):
            demo(args, project)

    run_tool(work)


def demo(args: argparse.Namespace, project: Path) -> None:
    """Run every step, then write the report."""
    tools, configs = project / 'tools', project / 'configs/demo'
    begin, seed = time.time(), ('--seed', args.seed)
    seconds = {}
    seconds['world'] = run('1 of 4, the world', tools / 'data/make_world.py', OUT / 'world',
                           *seed, *(SMALL if args.small else ()))
    seconds['clip'] = run('2 of 4, CLIP on still pictures', tools / 'train.py',
                          configs / 'demo_clip.py', *seed)
    seconds['branch'] = run('3 of 4, the branch on videos', tools / 'train.py',
                            configs / 'demo_pretrain.py', *seed)
    tests = time.time()
    runs = {}
    for name, (checkpoint, names) in TESTS.items():
        metrics = {}
        for config in names:
            run(f'4 of 4, {config}', tools / 'test.py', configs / f'{config}.py', checkpoint)
            metrics.update(read_metrics(config))
        features = OUT / names[0].removeprefix('demo_') / 'features.npz'
        runs[name] = dict(metrics=metrics, features=str(features))
    seconds['test'] = time.time() - tests
    seconds['total'] = time.time() - begin
    report(args, runs, seconds)


def report(args: argparse.Namespace, runs: dict, seconds: dict) -> None:
    """Write the report and print its headline."""
    from mmbt.lab.demo.report import write_report
    scalars = {
        name: str(sorted((OUT / name).glob('*/vis_data/scalars.json'))[-1])
        for name in ('clip', 'branch')
    }
    small = f'python tools/demo.py --small {args.small} --seed '
    write_report(
        str(OUT), runs,
        dict(
            seed=args.seed,
            command=small if args.small else 'make demo SEED=',
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
    page = (args.small or Path()) / OUT / 'report.html'
    print(f'\nLook at {page} ({seconds["total"]:.0f} s altogether)')


if __name__ == '__main__':
    main()
