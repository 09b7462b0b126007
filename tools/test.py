"""Evaluate a model: ``python tools/test.py CONFIG CHECKPOINT``, or from anywhere
``mim test mmbt CONFIG --checkpoint CHECKPOINT``.

The flags are mmaction2's own. What is wrong with the input is said in one line;
``MMBT_TRACEBACK=1`` shows where.
"""
import argparse
import os

from mmengine.config import Config, DictAction


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a model')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='file with the weights')
    parser.add_argument('--work-dir', help='folder for logs and metrics')
    parser.add_argument('--dump', help='file for the predictions, ending in .pkl or .pickle')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
        help='override settings of the config, such as test_dataloader.batch_size=4; a list is '
        'key="[a,b]" or key=a,b, quoted and without spaces')
    parser.add_argument('--show-dir', help='folder for the visualised predictions')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--interval', type=int, default=1, help='visualise every n-th sample')
    parser.add_argument(
        '--wait-time', type=float, default=2, help='how long a window stays, in seconds')
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='how the processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Write the command line into the config."""
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    if args.show or args.show_dir is not None:
        show_predictions(cfg, args)
    if args.dump is not None:
        dump_predictions(cfg, args.dump)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    return cfg


def show_predictions(cfg: Config, args: argparse.Namespace) -> None:
    """Switch on the hook that draws predictions."""
    hooks = cfg.get('default_hooks') or {}
    if 'visualization' not in hooks:
        raise ValueError(f'--show and --show-dir: {args.config} has no hook that draws; add '
                         "visualization=dict(type='VisualizationHook') to its default_hooks")
    hooks['visualization'].update(
        enable=True, show=args.show, wait_time=args.wait_time, out_dir=args.show_dir,
        interval=args.interval)


def dump_predictions(cfg: Config, path: str) -> None:
    """Keep the predictions, beside whatever the config measures."""
    if not path.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--dump {path}: the file must end in .pkl or .pickle')
    from mmbt.files.atomic import check_place
    check_place(path)
    evaluators = cfg.get('test_evaluator') or []
    evaluators = list(evaluators) if isinstance(evaluators, (list, tuple)) else [evaluators]
    cfg.test_evaluator = evaluators + [dict(type='DumpResults', out_file_path=path)]


def main() -> None:
    """Evaluate."""
    args = parse_args()
    from mmbt.engine.launch import (
        build_runner,
        load_config,
        run_tool,
        set_work_dir,
        skip_idle_weights,
    )

    def work() -> None:
        cfg = load_config(args.config)
        set_work_dir(cfg, args)
        cfg = merge_args(cfg, args)
        skip_idle_weights(cfg)
        build_runner(cfg).test()

    run_tool(work)


if __name__ == '__main__':
    main()
