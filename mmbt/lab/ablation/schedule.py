"""Run rows side by side, each in a process of its own, within a budget of time.

A row's process is a fork of this one, which has imported mmbt and computed nothing.
"""
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO

from mmbt.files.shown import ANY_NAME

from .. import forks
from ..forks import Command
from . import row as row_module
from .configs import data_fingerprint, fingerprint
from .results import former_results
from .tables import Table
from .worlds import World

PATIENCE = 10.0
"""Seconds that a process has to end when it is told to."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LIBC = ctypes.CDLL(None) if sys.platform == 'linux' else None
PR_SET_PDEATHSIG = 1
"""prctl's order to be sent a signal when the parent ends."""
ROW = ('-m', 'mmbt.lab.ablation.row')


@dataclass(frozen=True)
class Run:
    """A row to be run with a seed; rows of several tables that are the same are equal runs.

    Attributes:
        row: Name in configs/ablations/ of the first such row.
        seed: The seed.
        folder: Where it is kept; its name is the run's fingerprint.
        data: Folder of the seed's data and CLIP; its name is theirs.
        former: Results of the same row by other sources, configs or libraries, the newest first.
    """

    row: str
    seed: int
    folder: Path
    data: Path
    former: tuple[Path, ...] = ()

    @property
    def result(self) -> Path:
        """What it leaves when it is done."""
        return self.folder / 'result.json'


def plan(tables: Sequence[Table], world: World, seeds: int,
         folder: Path) -> dict[tuple[str, int], Run]:
    """The run of each row that the world has, with each seed, one seed after the other."""
    marks = {row.config: fingerprint(row.config, world) for table in tables for row in table.rows
             if row.config not in world.lacks}
    alike: dict[str, list[str]] = {}
    for row, mark in marks.items():
        alike.setdefault(mark, []).append(row)
    data = data_fingerprint(world)
    runs: dict[tuple[str, int], Run] = {}
    for seed in range(seeds):
        place = folder / f'seed{seed}'
        former = former_results(place / 'runs', world.name, set(marks.values()))
        for row, mark in marks.items():
            older = sorted((each for name in alike[mark] for each in former.get(name, ())),
                           reverse=True)
            runs[row, seed] = Run(alike[mark][0], seed, place / 'runs' / mark, place / data,
                                  tuple(path for _, path in older))
    return runs


class Failed(RuntimeError):
    """A process ended with an error."""


Titled = tuple[str, Command, Path]
"""A title, a command, and the log file that it appends to."""


def run_all(commands: Sequence[Titled], jobs: int,
            deadline: float | None, done: Callable[[str, float], None]) -> bool:
    """Run commands, some at a time.

    Args:
        commands: What is to be run.
        jobs: How many run side by side.
        deadline: Time after which none is started any more; None for no end.
        done: Called with the title and the seconds of each that ended well.

    Returns:
        Whether all were run.

    Raises:
        Failed: If one ends with an error; the others are stopped.
    """
    waiting = list(commands)
    active: list[Job] = []
    threads = threads_of(jobs)
    try:
        while waiting or active:
            in_time = deadline is None or time.time() < deadline
            while waiting and in_time and len(active) < jobs:
                with signals_wait():
                    active.append(start(*waiting.pop(0), threads))
            if not active:
                return False
            time.sleep(0.2)
            for job in [job for job in active if job.process.exitcode is not None]:
                active.remove(job)
                if job.process.exitcode:
                    raise Failed(f'{job.title} failed: {job.reason()} (all of it in {job.log})')
                done(job.title, time.time() - job.begin)
    finally:
        with signals_wait():
            stop([job.process for job in active])
    return True


@contextlib.contextmanager
def signals_wait() -> Iterator[None]:
    """Let what would end this process wait until the block has ended, such as a second Ctrl-C.

    Within the block a row would be left running: one that is being started, or being stopped.
    """
    came: list[int] = []
    handlers: dict[int, Callable] = {}
    if threading.current_thread() is threading.main_thread():
        for each in ENDING:
            handler = signal.getsignal(each)
            if callable(handler):
                handlers[each] = handler
    for number in handlers:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for number in came[:1]:
        handlers[number](number, None)


def threads_of(jobs: int) -> int:
    """Threads of each process that shares the machine, unless the user has set their number."""
    return int(os.environ.get('OMP_NUM_THREADS', max(1, (os.cpu_count() or 1) // jobs)))


@dataclass(frozen=True)
class Job:
    """A process that runs; ``log_begin`` is where its own part of the log begins, in bytes."""

    title: str
    process: BaseProcess
    log: Path
    log_begin: int
    begin: float

    def reason(self) -> str:
        """Why it ended: the last line that tells an error, else the last, or the signal."""
        status = self.process.exitcode
        if status is not None and status < 0:
            return f'killed by signal {-status}'
        with self.log.open('rb') as log:
            log.seek(self.log_begin)
            lines = log.read().decode(errors='replace').split('\n')
        lines = [line.strip() for line in lines if line.strip()]
        told = [line for line in lines if line.startswith('error: ')]
        return (told or lines or ['no output'])[-1].removeprefix('error: ')


def start(title: str, command: Command, log: Path, threads: int) -> Job:
    """Start one process, its output appended to its log, that leads a group of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('ab') as output:
        log_begin = output.tell()
        process = forks.start(command, partial(become_job, output, threads, os.getpid()))
    return Job(title, process, log, log_begin, time.time())


def become_job(output: BinaryIO, threads: int, parent: int) -> None:
    """In a new fork: lead a group, end with the parent, write to the log, and have some threads."""
    import torch
    os.setsid()
    end_with_parent()
    if os.getppid() != parent:  # it has ended before it could be told so
        os._exit(1)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    sys.stdout = open(1, 'w', buffering=1, errors=ANY_NAME, closefd=False)
    sys.stderr = open(2, 'w', buffering=1, errors='backslashreplace', closefd=False)
    os.environ['OMP_NUM_THREADS'] = str(threads)  # for what it starts
    torch.set_num_threads(threads)


def end_with_parent() -> None:
    """Let this process be ended when its parent ends, even killed; on Linux alone."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def stop(processes: Sequence[BaseProcess]) -> None:
    """End processes and what they started, and wait until they have ended."""
    for process in processes:
        send(signal.SIGTERM, process)
    for process in processes:
        if not has_ended(process, PATIENCE):
            send(signal.SIGKILL, process)
        process.join()


def has_ended(process: BaseProcess, patience: float) -> bool:
    """Whether a process ends within some seconds."""
    until = time.monotonic() + patience
    while process.exitcode is None and time.monotonic() < until:
        time.sleep(0.02)
    return process.exitcode is not None


def send(signal_number: int, process: BaseProcess) -> None:
    """Send a signal to a process's group, such as the workers that read its data."""
    assert process.pid is not None
    with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
        os.killpg(process.pid, signal_number)


def command(run: Run, world: World, processes: int = 1) -> Titled:
    """How to run a row, in one process or in several that share its batches."""
    words = [run.row, '--world', world.name, '--seed', str(run.seed), '--data', str(run.data),
             '--folder', str(run.folder), '--planned', run.folder.name]
    if processes > 1:
        told = Command([*words, '--launcher', 'pytorch'], [
            '-m', 'torch.distributed.run', '--standalone', '--nproc_per_node', str(processes),
            *ROW])
    else:
        told = Command(words, ROW, row_module.main)
    return f'{run.row}, seed {run.seed}', told, run.folder / 'log.txt'


def preparation(world: World, run: Run) -> Titled:
    """How to prepare the seed of a run."""
    words = ['prepare', '--world', world.name, '--seed', str(run.seed), '--data', str(run.data),
             '--planned', run.data.name]
    told = Command(words, ROW, row_module.main)
    return f'{world.name}, seed {run.seed}', told, run.data / 'log.txt'
