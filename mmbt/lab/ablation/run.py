"""Run rows of the paper's tables, and write the tables: what ``mmbt ablate`` does."""
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import schedule
from .configs import check_data, write_row
from .report import write_reports
from .tables import TABLES, Table
from .worlds import WORLDS, World

GOES_ON = 'the same command goes on where it stopped'


def tables_of(names: Sequence[str]) -> list[Table]:
    """The parts of tables by their names, such as ``'table11'``, each once."""
    return [part for name in dict.fromkeys(names) for part in TABLES[name]]


def ablate(tables: Sequence[str], world: str = 'moving_shapes', seeds: int = 3,
           work_dir: Path | None = None, budget: float | None = None, jobs: int = 1, gpus: int = 1,
           report_only: bool = False) -> list[Path]:
    """Run what is left to run of some tables, then write them; return the files.

    Args:
        tables: Their names.
        world: What to train and test on.
        seeds: How many, from 0 on.
        work_dir: Folder for everything; the world's own where it is not given.
        budget: Minutes after which no row is started.
        jobs: Rows that run side by side.
        gpus: GPUs, and processes, that share a row.
        report_only: Run nothing; what is old is marked.
    """
    parts, place = tables_of(tables), WORLDS[world]
    folder = work_dir or place.folder
    runs = schedule.plan(parts, place, seeds, folder)
    if not report_only:
        run_rows(place, runs, budget, jobs, gpus)
    return write_reports(parts, place, runs,
                         folder / place.name if place.shares else folder)


def write_rows(tables: Sequence[str], base: str, folder: Path) -> list[Path]:
    """Write each row as a config over another base, for ``mim train`` and ``mim test``."""
    return [write_row(row.config, base, folder) for part in tables_of(tables) for row in part.rows]


def run_rows(world: World, runs: dict[tuple[str, int], schedule.Run], budget: float | None,
             jobs: int, gpus: int) -> None:
    """Prepare the seeds and run the rows that have no result yet.

    Raises:
        SystemExit: With one line, where a row fails.
    """
    deadline = None if budget is None else time.time() + 60 * budget
    left = list(dict.fromkeys(run for run in runs.values() if not run.result.exists()))
    renewed = sum(bool(run.former) for run in left)
    if renewed:
        print(f'{renewed} of {len(left)} rows were run before what makes their numbers changed; '
              'they are run again', flush=True)
    try:
        if world.prepared:
            firsts = {run.seed: run for run in left}.values()
            schedule.run_all([schedule.preparation(world, run) for run in firsts], jobs, deadline,
                             lambda title, seconds: print(f'{title}: ready after {seconds:.0f} s',
                                                          flush=True))
        else:
            check_data(world)
        progress = Progress(len(left))
        commands = [schedule.command(run, world, gpus) for run in left]
        if not schedule.run_all(commands, jobs, deadline, progress):
            print(f'the budget is spent: {progress.done} of {len(left)} rows are done; {GOES_ON}')
    except schedule.Failed as error:
        sys.exit(f'error: {error}')


class Progress:
    """Tell how far it is, and how long it may take."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.time()

    def __call__(self, title: str, seconds: float) -> None:
        """After a row: its title, and the seconds that it took."""
        self.done += 1
        left = (time.time() - self.begin) / self.done * (self.total - self.done) / 60
        print(f'{self.done} of {self.total}: {title}: {seconds:.0f} s, about {left:.0f} min left',
              flush=True)
