"""Run the rows of the paper's tables and figures, and set them beside the paper's numbers.

``python tools/ablate.py table6 table7 --world moving_shapes --seeds 3 --budget 240``

What is done already is not done again: the command goes on where it stopped. Rows that are the same
in several tables are run once.
"""
import argparse
import time
from pathlib import Path


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    from mmbt.ablation.tables import TABLES
    from mmbt.ablation.worlds import WORLDS
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('tables', nargs='+', choices=[*TABLES, 'all'], metavar='table',
                        help=f"any of {', '.join(TABLES)}, or all")
    parser.add_argument('--world', default='moving_shapes', choices=sorted(WORLDS),
                        help='what to train and test on')
    parser.add_argument('--seeds', type=int, default=3, help='how many seeds, from 0 on')
    parser.add_argument('--budget', type=float, help='minutes after which no row is started')
    parser.add_argument('--jobs', type=int, default=1, help='rows that run side by side')
    parser.add_argument('--work-dir', type=Path, help='folder for everything')
    parser.add_argument('--report-only', action='store_true', help='write the tables, run nothing')
    args = parser.parse_args()
    if args.seeds < 1 or args.jobs < 1:
        parser.error('--seeds and --jobs are at least 1')
    return args


def main() -> None:
    """Run, then write the tables."""
    args = parse_args()
    from mmbt.ablation.report import write_reports
    from mmbt.ablation.schedule import Failed, command, plan, preparation, run_all
    from mmbt.ablation.tables import TABLES
    from mmbt.ablation.worlds import WORLDS
    world = WORLDS[args.world]
    folder = args.work_dir or world.folder
    names = list(TABLES) if 'all' in args.tables else args.tables
    tables = [part for name in names for part in TABLES[name]]
    runs = plan(tables, world, args.seeds, folder)
    if not args.report_only:
        left = {run.folder: run for run in runs.values() if not run.result.exists()}
        deadline = None if args.budget is None else time.time() + 60 * args.budget
        progress = Progress(len(left))
        seeds = sorted({run.seed for run in left.values()})
        try:
            if world.prepare:
                run_all([preparation(world, seed, folder) for seed in seeds], args.jobs, None,
                        lambda title, seconds: print(f'{title}: ready after {seconds:.0f} s',
                                                     flush=True))
            run_all([command(run, world) for run in left.values()], args.jobs, deadline, progress)
        except Failed as error:
            raise SystemExit(f'error: {error}') from None
    for path in write_reports(tables, world, runs, folder):
        print(path)


class Progress:
    """Tell how far it is, and how long it may take."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.begin = total, 0, time.time()

    def __call__(self, title: str, seconds: float) -> None:
        self.done += 1
        left = (time.time() - self.begin) / self.done * (self.total - self.done) / 60
        print(f'{self.done} of {self.total}: {title}: {seconds:.0f} s, about {left:.0f} min left',
              flush=True)


if __name__ == '__main__':
    main()
