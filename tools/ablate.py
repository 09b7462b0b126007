"""Run the rows of the paper's tables and figures, and set them beside the paper's numbers.

``python tools/ablate.py table6 table7 --world moving_shapes --seeds 3 --budget 240``

What is done already is not done again: the command goes on where it stopped. A row's result belongs
to the code, the configs and the libraries that made it. Where one of them has changed the row is
run again, or, with ``--report-only`` and where the budget ends before, shown as old. Rows that are
the same in several tables are run once. Where the command is stopped, its rows end too; on Linux
even where it is killed.
"""
import argparse
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbt.lab.ablation.schedule import Run
    from mmbt.lab.ablation.worlds import World

# Named here too, so that --help need not import torch.
TABLES = ('table1', 'table6', 'table7', 'table10', 'table11', 'fig3', 'fig4')
WORLDS = ('moving_shapes', 'moving_shapes_long', 'webvid')
GOES_ON = 'the same command goes on where it stopped'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('tables', nargs='+', choices=[*TABLES, 'all'], metavar='table',
                        help=f"any of {', '.join(TABLES)}, or all")
    parser.add_argument('--world', default='moving_shapes', choices=WORLDS,
                        help='what to train and test on (default: moving_shapes)')
    parser.add_argument('--seeds', type=int, default=3,
                        help='how many seeds, from 0 on (default: 3)')
    parser.add_argument('--budget', type=float, metavar='MINUTES',
                        help='time after which no row is started (default: no end)')
    parser.add_argument('--jobs', type=int, default=1,
                        help='rows that run side by side (default: 1)')
    parser.add_argument('--gpus', type=int, default=1,
                        help='GPUs, and processes, that share a row (default: 1)')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='folder for everything (default: work_dirs/ablations/WORLD, with '
                             '--onto work_dirs/ablations/configs)')
    parser.add_argument('--onto', metavar='CONFIG',
                        help='write each row as a config over this one, a file or a name in '
                             'configs/, for mim train and mim test; run nothing')
    parser.add_argument('--report-only', action='store_true',
                        help='write the tables, run nothing; what is old is marked')
    args = parser.parse_args()
    if min(args.seeds, args.jobs, args.gpus) < 1:
        parser.error('--seeds, --jobs and --gpus are at least 1')
    return args


def ablate(args: argparse.Namespace) -> None:
    """Run what is left to run, then write the tables."""
    from mmbt.lab.ablation.report import write_reports
    from mmbt.lab.ablation.schedule import plan
    from mmbt.lab.ablation.tables import TABLES as parts
    from mmbt.lab.ablation.worlds import WORLDS as worlds
    names = TABLES if 'all' in args.tables else dict.fromkeys(args.tables)
    tables = [part for name in names for part in parts[name]]
    if args.onto:
        write_configs([row.config for part in tables for row in part.rows], args)
        return
    world = worlds[args.world]
    folder = args.work_dir or world.folder
    runs = plan(tables, world, args.seeds, folder)
    if not args.report_only:
        run_rows(args, world, runs)
    for path in write_reports(tables, world, runs, folder / world.name if world.shares else folder):
        print(path)


def write_configs(rows: list[str], args: argparse.Namespace) -> None:
    """Write the rows over another base, and say where."""
    from mmbt.lab.ablation.configs import write_row
    for row in rows:
        print(write_row(row, args.onto, args.work_dir or Path('work_dirs/ablations/configs')))


def run_rows(args: argparse.Namespace, world: 'World',
             runs: dict[tuple[str, int], 'Run']) -> None:
    """Prepare the seeds and run the rows that have no result yet."""
    from mmbt.lab.ablation.configs import check_data
    from mmbt.lab.ablation.schedule import Failed, command, preparation, run_all
    deadline = None if args.budget is None else time.time() + 60 * args.budget
    left = list(dict.fromkeys(run for run in runs.values() if not run.result.exists()))
    renewed = sum(bool(run.former) for run in left)
    if renewed:
        print(f'{renewed} of {len(left)} rows were run before what makes their numbers changed; '
              'they are run again', flush=True)
    try:
        if world.prepare:
            run_all([preparation(world, run)
                     for run in {run.seed: run for run in left}.values()], args.jobs, deadline,
                    lambda title, seconds: print(f'{title}: ready after {seconds:.0f} s',
                                                 flush=True))
        else:
            check_data(world)
        progress = Progress(len(left))
        if not run_all([command(run, world, args.gpus) for run in left], args.jobs, deadline,
                       progress):
            print(f'the budget is spent: {progress.done} of {len(left)} rows are done; {GOES_ON}')
    except Failed as error:
        sys.exit(f'error: {error}')


class Progress:
    """Tell how far it is, and how long it may take."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.time()

    def __call__(self, title: str, seconds: float) -> None:
        self.done += 1
        left = (time.time() - self.begin) / self.done * (self.total - self.done) / 60
        print(f'{self.done} of {self.total}: {title}: {seconds:.0f} s, about {left:.0f} min left',
              flush=True)


def main() -> None:
    """Run the tool."""
    args = parse_args()
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) == signal.SIG_DFL:  # nohup ignores the second
            signal.signal(each, signal.default_int_handler)  # ends as Ctrl-C does
    try:
        from mmbt.engine.launch import run_tool
        run_tool(lambda: ablate(args))
    except KeyboardInterrupt:
        sys.exit(f'interrupted; {GOES_ON}')


if __name__ == '__main__':
    main()
