"""Evaluate a model: zero-shot retrieval and recognition.

    mmbt test configs/zeroshot_msrvtt.py work_dirs/pretrain_webvid/epoch_1.pth
    mim test mmbt configs/zeroshot_msrvtt.py --checkpoint work_dirs/pretrain_webvid/epoch_1.pth

The flags are MMAction2's own. What is wrong with the input is said in one line.
"""
import argparse
import os
from typing import TYPE_CHECKING

from .options import add_cfg_options, add_launcher, cfg_options

if TYPE_CHECKING:
    from mmengine.config import Config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """MMAction2's flags."""
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='file with the weights')
    parser.add_argument('--work-dir', help='folder for logs and metrics')
    parser.add_argument('--dump', help='file for the predictions, ending in .pkl or .pickle')
    add_cfg_options(parser, 'test_dataloader.batch_size=4')
    parser.add_argument('--show-dir', help='folder for the visualised predictions')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='visualise every n-th sample')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='how long a window stays, in seconds')
    add_launcher(parser)


def run(args: argparse.Namespace) -> None:
    """Evaluate."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmbt.engine.launch import build_runner, load_config, set_work_dir, skip_idle_weights
    cfg = load_config(args.config)
    set_work_dir(cfg, args)
    cfg = merge_args(cfg, args)
    skip_idle_weights(cfg)
    build_runner(cfg).test()


def merge_args(cfg: 'Config', args: argparse.Namespace) -> 'Config':
    """Write the command line into the config."""
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir is not None:
        show_predictions(cfg, args)
    if args.dump is not None:
        dump_predictions(cfg, args.dump)
    cfg.merge_from_dict(cfg_options(args.cfg_options))
    return cfg


def show_predictions(cfg: 'Config', args: argparse.Namespace) -> None:
    """Switch on the hook that draws predictions."""
    hooks = cfg.get('default_hooks') or {}
    if 'visualization' not in hooks:
        raise ValueError(f'--show and --show-dir: {args.config} has no hook that draws; add '
                         "visualization=dict(type='VisualizationHook') to its default_hooks")
    hooks['visualization'].update(
        enable=True, show=args.show, wait_time=args.wait_time, out_dir=args.show_dir,
        interval=args.interval)


def dump_predictions(cfg: 'Config', path: str) -> None:
    """Keep the predictions, beside whatever the config measures."""
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump {path}: the file must end in .pkl or .pickle')
    from mmbt.files.atomic import check_place
    check_place(path)
    evaluators = cfg.get('test_evaluator') or []
    evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
    cfg.test_evaluator = evaluators + [dict(type='DumpResults', out_file_path=path)]
