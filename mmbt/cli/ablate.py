"""Run the rows of the paper's tables and figures, and set them beside the paper's numbers.

    mmbt ablate table6 table7 --world moving_shapes --seeds 3 --budget 240

What is done already is not done again: the command goes on where it stopped. A row's result belongs
to the code, the configs and the libraries that made it. Where one of them has changed the row is
run again, or, with --report-only and where the budget ends before, shown as old. Rows that are the
same in several tables are run once. Where the command is stopped, its rows end too; on Linux even
where it is killed.
"""
import argparse
import os
import signal
import sys
from pathlib import Path

from .options import cores

# Named here too, so that --help need not import torch.
TABLES = ('table1', 'table6', 'table7', 'table10', 'table11', 'fig3', 'fig4')
WORLDS = ('moving_shapes', 'moving_shapes_long', 'webvid')


def at_least_1(text: str) -> int:
    """A count."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f'{text} is below 1')
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Tables, a world, and how much of it."""
    parser.add_argument('tables', nargs='+', choices=[*TABLES, 'all'], metavar='table',
                        help=f"any of {', '.join(TABLES)}, or all")
    parser.add_argument('--world', default='moving_shapes', choices=WORLDS,
                        help='what to train and test on (default: moving_shapes)')
    parser.add_argument('--seeds', type=at_least_1, default=3,
                        help='how many seeds, from 0 on (default: 3)')
    parser.add_argument('--budget', type=float, metavar='MINUTES',
                        help='time after which no row is started (default: no end)')
    parser.add_argument('--jobs', type=at_least_1, default=1,
                        help='rows that run side by side (default: 1)')
    parser.add_argument('--gpus', type=at_least_1, default=1,
                        help='GPUs, and processes, that share a row (default: 1)')
    parser.add_argument('--work-dir', type=Path, metavar='DIR',
                        help='folder for everything (default: work_dirs/ablations/WORLD, with '
                             '--onto work_dirs/ablations/configs)')
    parser.add_argument('--onto', metavar='CONFIG',
                        help='write each row as a config over this one, a file or a name in '
                             'configs/, for mim train and mim test; run nothing')
    parser.add_argument('--report-only', action='store_true',
                        help='write the tables, run nothing; what is old is marked')


def before_import(args: argparse.Namespace) -> None:
    """Share the cores among the rows, which are forks, and leave the GPUs to them."""
    os.environ.setdefault('OMP_NUM_THREADS', str(max(1, cores() // args.jobs)))
    os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')


def run(args: argparse.Namespace) -> None:
    """Run what is left to run, then write the tables."""
    for each in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(each) == signal.SIG_DFL:  # nohup ignores the second
            signal.signal(each, signal.default_int_handler)  # ends as Ctrl-C does
    from mmbt.lab.ablation.run import GOES_ON, ablate, write_rows
    tables = TABLES if 'all' in args.tables else tuple(args.tables)
    try:
        if args.onto:
            paths = write_rows(tables, args.onto,
                               args.work_dir or Path('work_dirs/ablations/configs'))
        else:
            paths = ablate(tables, args.world, args.seeds, args.work_dir, args.budget, args.jobs,
                           args.gpus, args.report_only)
    except KeyboardInterrupt:
        sys.exit(f'interrupted; {GOES_ON}')
    print(*paths, sep='\n')
