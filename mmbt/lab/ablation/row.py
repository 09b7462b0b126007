"""Train and test one row, in a process of its own.

It is a fork of ``mmbt ablate``, or ``python -m mmbt.lab.ablation.row``.
"""
import argparse
import json
import os
import platform
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import barrier, is_main_process

import mmbt
from mmbt.engine.launch import build_runner, run_tool
from mmbt.files.atomic import whole_file
from mmbt.files.latest import latest_checkpoint
from mmbt.files.lock import Lock

from ..world import generate_world
from .configs import data_fingerprint, fingerprint, load_prepared, load_row, trains
from .sources import made_by
from .states import make_states, use_states
from .worlds import SHAPES, WORLDS, World


def run_training(config: Config, folder: Path, seed: int, launcher: str = 'none') -> dict:
    """Train in a folder, or go on where it stopped; return what was trained and how long.

    The seconds are those of all steps, whichever process took them.
    """
    config.work_dir, config.randomness = str(folder), dict(seed=seed)
    config.launcher = launcher
    config.resume = latest_checkpoint(folder) is not None
    runner = build_runner(config)
    model = runner.train()
    barrier()  # the first process has written its last checkpoint
    seconds, _ = runner.message_hub.get_scalar('train/time').data  # checkpoints hold them too
    return dict(
        seconds=float(seconds.sum()),
        steps=runner.iter,
        weights=sum(each.numel() for each in model.parameters() if each.requires_grad),
        threads=torch.get_num_threads())


def run_row(row: str, world: World, seed: int, folder: Path, data: Path,
            launcher: str = 'none') -> None:
    """Train and test a row, and write ``result.json``.

    Args:
        row: Name in configs/ablations/.
        world: The world.
        seed: Seed of everything.
        folder: Where its logs, weights and result go.
        data: Folder of the seed's data and CLIP.
        launcher: How its processes were started, as in MMEngine.
    """
    with alone(folder):
        _run_row(row, world, seed, folder, data, launcher)


def alone(folder: Path) -> AbstractContextManager:
    """The lock of a row's folder, which the first of its processes takes."""
    first = os.environ.get('RANK', '0') == '0'
    return Lock(folder / 'row.lock', str(folder)) if first else nullcontext()


def _run_row(row: str, world: World, seed: int, folder: Path, data: Path, launcher: str) -> None:
    config = load_row(row, world, folder=data)
    result: dict = dict(row=row, world=world.name, seed=seed, version=mmbt.__version__, **made_by())
    if trains(config):
        use_states(config, data)
        result['training'] = run_training(config, folder / 'train', seed, launcher)
        checkpoint = latest_checkpoint(folder / 'train', print)
    result['metrics'] = {}
    for test in world.tests:
        tested = load_row(row, world, test, data)
        if trains(config):
            tested.load_from, tested.model.trunk.pretrained = checkpoint, None
        else:
            tested.model.trunk.pretrained = config.model.trunk.pretrained
        tested.work_dir, tested.launcher = str(folder / test), launcher
        tested.randomness = dict(seed=seed)
        result['metrics'][test] = build_runner(tested).test()
    result.update(
        machine=platform.processor() or platform.machine(),
        finished=datetime.now(UTC).isoformat(timespec='seconds'))
    if is_main_process():
        with whole_file(folder / 'result.json') as draft:
            draft.write_text(json.dumps(result, indent=1))


def main(argv: Sequence[str] | None = None) -> None:
    """Run one row, or prepare what the rows of a seed need.

    Args:
        argv: The words after the program's name; those of this process where it is not given.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('row', help='name in configs/ablations/, or "prepare"')
    parser.add_argument('--world', required=True, choices=sorted(WORLDS))
    parser.add_argument('--seed', type=int, required=True)
    parser.add_argument('--data', type=Path, required=True)
    parser.add_argument('--folder', type=Path)
    parser.add_argument('--planned', help='what the fingerprint was when this was planned')
    parser.add_argument('--launcher', choices=['none', 'pytorch'], default='none')
    args = parser.parse_args(argv)
    world = WORLDS[args.world]
    run_tool(lambda: work(args, world))


def work(args: argparse.Namespace, world: World) -> None:
    """Do what the command line says."""
    if args.row == 'prepare':
        check_plan(args.planned, data_fingerprint(world))
        prepare(world, args.seed, args.data)
    else:
        check_plan(args.planned, fingerprint(args.row, world))
        run_row(args.row, world, args.seed, args.folder, args.data, args.launcher)


def check_plan(planned: str | None, here: str) -> None:
    """Refuse to put a result where that of other sources belongs.

    Raises:
        ValueError: If the code or a config has changed since the run was planned.
    """
    if planned is not None and planned != here:
        raise ValueError('the code or a config has changed since this run was planned; run the '
                         'same command again')


def prepare_shapes(folder: Path, seed: int, world: World = SHAPES) -> None:
    """Make the moving shapes of a seed, and a CLIP of their stills, unless they are there."""
    generate_world(folder / 'world', seed=seed, held_out_words=True)
    if not (folder / 'clip/last_checkpoint').exists():
        clip, = world.prepared
        run_training(load_prepared(clip, world, folder), folder / 'clip', seed)


def prepare(world: World, seed: int, data: Path) -> None:
    """Prepare what the rows of a seed need, alone in their folder."""
    assert world.prepared
    with Lock(data / 'preparation.lock', str(data)):
        prepare_shapes(data, seed, world)
        make_states(world, data)


if __name__ == '__main__':
    main()
