"""Run rows side by side, each in a process of its own, within a budget of time."""
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from .configs import fingerprint
from .tables import Table
from .worlds import World


@dataclass(frozen=True)
class Run:
    """A row to be run with a seed; rows of several tables that are the same are one run.

    Attributes:
        row: Name in configs/ablations/ of the first such row.
        seed: The seed.
        folder: Where it is kept.
        data: Folder of the seed's data.
    """

    row: str
    seed: int
    folder: Path
    data: Path

    @property
    def result(self) -> Path:
        """What it leaves when it is done."""
        return self.folder / 'result.json'


def plan(tables: Sequence[Table], world: World, seeds: int,
         folder: Path) -> Dict[Tuple[str, int], Run]:
    """The run of each row and seed; all rows of one seed come before those of the next."""
    marks = {row.config: fingerprint(row.config, world) for table in tables for row in table.rows}
    runs: Dict[Tuple[str, int], Run] = {}
    for seed in range(seeds):
        data = folder / f'seed{seed}'
        for row, mark in marks.items():
            runs[row, seed] = Run(row, seed, data / 'runs' / mark, data)
    return runs


class Failed(RuntimeError):
    """A process ended with an error."""


def run_all(commands: Sequence[Tuple[str, List[str], Path]], jobs: int,
            deadline: Optional[float], done: Callable[[str, float], None]) -> bool:
    """Run commands, some at a time.

    Args:
        commands: Title, arguments of ``python`` and log file of each.
        jobs: How many run side by side.
        deadline: Time after which none is started any more; None for no end.
        done: Called with the title and the seconds of each that ended well.

    Returns:
        Whether all were run.

    Raises:
        Failed: If one ends with an error; the others are stopped.
    """
    waiting, active = list(commands), []
    threads = max(1, (os.cpu_count() or 1) // jobs)
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    try:
        while waiting or active:
            in_time = deadline is None or time.time() < deadline
            while waiting and in_time and len(active) < jobs:
                active.append(start(*waiting.pop(0), environment))
            if not active:
                return False
            time.sleep(0.2)
            for item in [item for item in active if item[1].poll() is not None]:
                active.remove(item)
                title, process, log, begin = item
                if process.returncode:
                    raise Failed(f'{title} failed: {last_line(log)} (all of it in {log})')
                done(title, time.time() - begin)
    finally:
        for _, process, _, _ in active:
            process.terminate()
    return True


def start(title: str, arguments: List[str], log: Path,
          environment: Dict[str, str]) -> Tuple[str, subprocess.Popen, Path, float]:
    """Start one process, its output appended to its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('a') as output:
        process = subprocess.Popen([sys.executable, *arguments], stdout=output,
                                   stderr=subprocess.STDOUT, env=environment)
    return title, process, log, time.time()


def last_line(log: Path) -> str:
    """The last line of a log that says something."""
    lines = [line for line in log.read_text().splitlines() if line.strip()]
    return lines[-1] if lines else 'no output'


def command(run: Run, world: World) -> Tuple[str, List[str], Path]:
    """How to run a row."""
    return (f'{run.row}, seed {run.seed}', [
        '-m', 'mmbt.ablation.row', run.row, '--world', world.name, '--seed', str(run.seed),
        '--data', str(run.data), '--folder', str(run.folder)], run.folder / 'log.txt')


def preparation(world: World, seed: int, folder: Path) -> Tuple[str, List[str], Path]:
    """How to prepare a seed."""
    data = folder / f'seed{seed}'
    return (f'{world.name}, seed {seed}', [
        '-m', 'mmbt.ablation.row', 'prepare', '--world', world.name, '--seed', str(seed),
        '--data', str(data)], data / 'log.txt')
