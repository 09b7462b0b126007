"""The whole paper in miniature: make a world, train CLIP and the branch, test, and report.

    mmbt demo --seed 0

Everything goes to work_dirs/demo; the page to look at is work_dirs/demo/report.html. --small DIR
runs the same steps and configs on a tiny world, in DIR/work_dirs/demo.
"""
import argparse
import os
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A seed, and how small."""
    parser.add_argument('--seed', type=int, default=0, help='seed of everything')
    parser.add_argument('--small', type=Path, metavar='DIR',
                        help='see in two minutes whether all steps work: a tiny world, whose '
                        'numbers mean nothing, in DIR/work_dirs/demo')


def before_import(args: argparse.Namespace) -> None:
    """Leave the GPUs to the steps, which are forks."""
    os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')


def run(args: argparse.Namespace) -> None:
    """Run the demo, alone in its folder."""
    from mmbt.lab.demo.run import run_demo

    from . import main
    run_demo(main, args.seed, args.small)
