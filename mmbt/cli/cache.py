"""Keep what a frozen CLIP makes of every clip, so that trainings need not compute it.

    mmbt cache configs/demo/shapes_pretrain.py

The config's pipeline has a FixedDraws around what reads a clip; its states=FOLDER says where the
states go, and a training with it reads them in place of frames. The states belong to the CLIP's
weights, the list and the sampling: a folder of others is refused. A command that was stopped goes
on where it was. --check reads all and takes damaged files out, for the same command to write again.
"""
import argparse
import sys

from .options import add_cfg_options, add_device, config_of, pick_device, steady_bar

DTYPES = ('float32', 'bfloat16', 'float8')
SPLITS = ('train', 'val', 'test')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A config, and what is kept of its clips."""
    parser.add_argument('config', help='a config of a training or of a test')
    parser.add_argument('checkpoint', nargs='?', help="weights, where the config's model.trunk "
                        'names none')
    parser.add_argument('--split', choices=SPLITS, default='train',
                        help='whose clips (default: train)')
    parser.add_argument('--out', metavar='FOLDER',
                        help='where the states go (default: what FixedDraws says)')
    parser.add_argument('--dtype', choices=DTYPES, default='float32',
                        help='precision that is kept (default: float32, in which trainings are '
                        'those from frames bit for bit)')
    parser.add_argument('--layers', type=int, nargs='+', metavar='L',
                        help="layers of CLIP, 0 before the first (default: what the config's "
                        'backbone reads)')
    parser.add_argument('--visible', action='store_true',
                        help='keep the patches alone that the mask, drawn once for each draw, '
                        'leaves visible')
    parser.add_argument('--check', action='store_true',
                        help='read what is there and take damaged files out')
    add_device(parser)
    add_cfg_options(parser, 'model.trunk.pretrained=clip.pth')


def run(args: argparse.Namespace) -> None:
    """Write the states, or check them."""
    config = config_of(args)
    from mmbt.datasets.states.checking import check_states
    from mmbt.engine.caching import CacheOptions, cache_states, folder_of
    options = CacheOptions(
        split=args.split, folder=args.out, dtype=args.dtype, visible=args.visible,
        layers=tuple(args.layers) if args.layers else None, device=pick_device(args.device))
    if args.check:
        folder = folder_of(config, options)
        bad = check_states(folder)
        if bad:
            sys.exit(f'error: {folder}: {", ".join(bad)} damaged or missing, and taken out; run '
                     'the same command without --check')
        print(f'{folder}: all that is there is sound')
        return
    from tqdm import tqdm
    with tqdm(desc='states', unit='clip', mininterval=steady_bar()) as bar:
        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        found = cache_states(config, options, args.checkpoint, progress)
    print(f"{found['folder']}: {found['records']:,} records, {found['bytes'] / 1e9:.2f} GB, "
          f"{found['seconds']:.0f} s; "
          + ('the same bits at any place of a batch' if found['exact'] else
             'NOT the same bits at any place of a batch: trainings differ in the last bits'))
