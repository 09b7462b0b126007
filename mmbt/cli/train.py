"""Train a model: pretraining, instruction tuning, ablations.

    mmbt train configs/pretrain_webvid.py
    mim train mmbt configs/pretrain_webvid.py

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
    parser.add_argument('config', help='path of the training config')
    parser.add_argument('--work-dir', help='folder for logs and weights')
    parser.add_argument(
        '--resume', nargs='?', const='auto',
        help='checkpoint to resume from; without a value, the latest in the work folder')
    parser.add_argument('--amp', action='store_true', help='train in automatic mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate while training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true',
        help='scale the learning rate with the batch size, as auto_scale_lr in the config says')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='give every process a seed of its own')
    parser.add_argument(
        '--deterministic', action='store_true', help='use deterministic algorithms only')
    add_cfg_options(parser, 'optim_wrapper.optimizer.lr=1e-4')
    add_launcher(parser)


def run(args: argparse.Namespace) -> None:
    """Train."""
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmbt.engine.launch import build_runner, load_config, set_work_dir
    cfg = load_config(args.config)
    set_work_dir(cfg, args)
    build_runner(merge_args(cfg, args)).train()


def merge_args(cfg: 'Config', args: argparse.Namespace) -> 'Config':
    """Write the command line into the config."""
    cfg.launcher = args.launcher
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        use_mixed_precision(cfg)
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise ValueError(f'--auto-scale-lr: {args.config} does not say for which batch size '
                             'its lr is meant; add auto_scale_lr=dict(base_batch_size=N)')
        cfg.auto_scale_lr.enable = True
    set_seed(cfg, args)
    cfg.merge_from_dict(cfg_options(args.cfg_options))
    return cfg


def use_mixed_precision(cfg: 'Config') -> None:
    """Exchange the plain optimizer wrapper for the mixed precision one."""
    wrapper = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if wrapper not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ValueError(f'--amp: optim_wrapper is a {wrapper}, which has no mixed precision; '
                         "leave the flag out, or set optim_wrapper.type='OptimWrapper'")
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def set_seed(cfg: 'Config', args: argparse.Namespace) -> None:
    """Let the flags about randomness override the config's; what is not given stays."""
    given = dict(seed=args.seed, diff_rank_seed=args.diff_rank_seed or None,
                 deterministic=args.deterministic or None)
    cfg.randomness = {
        'seed': None, **(cfg.get('randomness') or {}),
        **{key: value for key, value in given.items() if value is not None}}
