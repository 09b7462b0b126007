"""Prepare data: lists of the published annotation files, shards, the moving-shapes world.

    mmbt prepare msrvtt --annotations FILE [...]
    mmbt prepare shards OUT --config configs/pretrain_webvid.py --workers 16
    mmbt prepare world OUT

A set's name turns its annotation files, as they are published, into the lists that the configs
read, looks which videos are there, and reports counts beside the official ones; docs/data.md says
what each set needs. shards makes captioned videos into tar files of JPEG frames, which training
reads fast; without a config it takes --ann-file, --form and --videos. A run that was killed goes on
where it was; videos that cannot be read are left out and named in OUT/broken.txt.
"""
import argparse
import time
from typing import Any

from .options import cores, steady_bar

# Named here too, so that --help need not import torch.
SETS = ('webvid', 'msrvtt', 'didemo', 'lsmdc', 'activitynet', 'msvd', 'kinetics400', 'hmdb51',
        'ucf101')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A set, or what is to be made."""
    names = parser.add_subparsers(dest='name', required=True, metavar='NAME',
                                  help=f"{', '.join(SETS)}; shards; world")
    for name in SETS:
        add_set_flags(names.add_parser(name))
    add_shard_flags(names.add_parser('shards'))
    add_world_flags(names.add_parser('world'))


def add_set_flags(parser: argparse.ArgumentParser) -> None:
    """Where the files of a set are."""
    parser.add_argument('--annotations', nargs='+', required=True, metavar='FILE',
                        help='the published files, or a folder of them')
    parser.add_argument('--videos', metavar='FOLDER', help='files, or folders of frames; '
                        'OUT/videos where it is not given')
    parser.add_argument('--out', metavar='FOLDER', help='data/NAME where it is not given')
    parser.add_argument('--split', help='what the files hold: test (default), val or train')
    parser.add_argument('--drop-missing', action='store_true',
                        help='leave out videos that are not there')


def add_shard_flags(parser: argparse.ArgumentParser) -> None:
    """What is made into shards, and how."""
    parser.add_argument('out', help='folder to write to')
    parser.add_argument('--config', help='a config whose train_dataloader.dataset is the source')
    parser.add_argument('--ann-file', help='annotation file')
    parser.add_argument('--form', default='webvid', help='its form (default: webvid)')
    parser.add_argument('--videos', help='folder of its videos')
    parser.add_argument('--clips', type=int, default=1000, help='videos of a shard')
    parser.add_argument('--frames', type=int, default=16, help='frames kept of a video')
    parser.add_argument('--fps', type=float, help='frames kept of a second, in place of --frames')
    parser.add_argument('--short-side', type=int, default=256,
                        help='frames are shrunk to it; 0 keeps them as they are')
    parser.add_argument('--quality', type=int, default=90, help="the JPEGs', 1 to 100")
    parser.add_argument('--workers', type=int, default=cores(),
                        help='processes; default: as many as cores')
    parser.add_argument('--verify', action='store_true',
                        help='compare the hashes of finished shards too, not only their sizes')


def add_world_flags(parser: argparse.ArgumentParser) -> None:
    """How large the world is."""
    parser.add_argument('out', help='folder to write to')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--train', type=int, default=2000, help='number of training videos')
    parser.add_argument('--test', type=int, default=240,
                        help='number of test videos, a multiple of 12')
    parser.add_argument('--stills', type=int, default=8000, help='number of still pictures')
    parser.add_argument('--size', type=int, default=64,
                        help='side of the pictures in pixels, a multiple of 32')
    parser.add_argument('--held-out-words', action='store_true',
                        help='no pink, no cyan and no moons in training videos')
    parser.add_argument('--workers', type=int, default=2)


def run(args: argparse.Namespace) -> None:
    """Prepare and say what there is."""
    if args.name == 'shards':
        shards(args)
    elif args.name == 'world':
        world(args)
    else:
        from mmbt.datasets.preparation import prepare
        for counts in prepare(args.name, args.annotations, args.videos, args.out, args.split,
                              args.drop_missing):
            print('\n'.join(counts.lines()))


def shards(args: argparse.Namespace) -> None:
    """Write the shards and say what they are."""
    from tqdm import tqdm

    from mmbt.datasets.shards.settings import ShardSettings
    from mmbt.datasets.shards.write import make_shards

    settings = ShardSettings(clips=args.clips, frames=args.frames, fps=args.fps,
                             short_side=args.short_side, quality=args.quality)
    start = time.perf_counter()
    source = build_source(args)
    with tqdm(desc='shards', unit='clip', total=len(source),
              mininterval=steady_bar()) as bar:
        manifest = make_shards(source, args.out, settings, workers=args.workers,
                               verify=args.verify, progress=lambda done: bar.update(done - bar.n))
    print(f"{args.out}: {manifest['clips']} clips in {len(manifest['shards'])} shards, "
          f"{manifest['bytes'] / 1e9:.2f} GB, {manifest['broken']} broken videos left out, "
          f'{time.perf_counter() - start:.0f} s')


def build_source(args: argparse.Namespace) -> Any:
    """The data set that the flags describe."""
    from mmbt.apis import captions_of_dataset
    from mmbt.engine.launch import load_config

    if bool(args.config) == bool(args.ann_file):
        raise ValueError('shards need --config, or --ann-file and --videos')
    if args.config:
        return captions_of_dataset(load_config(args.config).train_dataloader.dataset)
    return captions_of_dataset(dict(type='CaptionedVideos', ann_file=args.ann_file, form=args.form,
                            data_prefix=dict(video=args.videos or '')))


def world(args: argparse.Namespace) -> None:
    """Write the world, and say how long it took."""
    from tqdm import tqdm

    from mmbt.lab.world import generate_world
    start = time.perf_counter()
    with tqdm(desc='moving shapes', unit='item', mininterval=steady_bar()) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        written = generate_world(args.out, seed=args.seed, train=args.train, test=args.test,
                                 stills=args.stills, size=args.size, workers=args.workers,
                                 held_out_words=args.held_out_words, progress=show)
    if written:
        print(f'wrote {args.out} in {time.perf_counter() - start:.1f} s')
    else:
        print(f'{args.out} already holds this world')
