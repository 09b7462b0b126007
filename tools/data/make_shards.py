"""Make captioned videos into shards: tar files of JPEG frames, which training reads fast.

  python tools/data/make_shards.py OUT --config configs/pretrain_webvid.py --workers 16

or, without a config, with --ann-file, --form and --videos. A run that was killed goes on where it
was. Videos that cannot be read are left out and named in OUT/broken.txt.
"""
import argparse
import os
import sys
import time
from typing import Any

from tqdm import tqdm


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='processes')
    parser.add_argument('--verify', action='store_true',
                        help='compare the hashes of finished shards too, not only their sizes')
    return parser.parse_args()


def build_source(args: argparse.Namespace) -> Any:
    """Return the data set that the flags describe, without its pipeline."""
    from mmaction.registry import DATASETS
    from mmengine.registry import DefaultScope

    import mmbt  # noqa: F401  registers the data sets
    from mmbt.datasets import CaptionedVideos
    from mmbt.engine.launch import load_config

    if bool(args.config) == bool(args.ann_file):
        raise ValueError('make_shards.py needs --config, or --ann-file and --videos')
    if args.config:
        dataset = load_config(args.config).train_dataloader.dataset
    else:
        dataset = dict(type='CaptionedVideos', ann_file=args.ann_file, form=args.form,
                       data_prefix=dict(video=args.videos or ''))
    with DefaultScope.overwrite_default_scope('mmaction'):
        source = DATASETS.build(dict(dataset, pipeline=[]))
    if not isinstance(source, CaptionedVideos):
        raise ValueError(f'make_shards.py takes CaptionedVideos, not {type(source).__name__}')
    return source


def make(args: argparse.Namespace) -> None:
    """Write the shards and say what they are."""
    from mmbt.datasets.shards.settings import ShardSettings
    from mmbt.datasets.shards.write import make_shards

    settings = ShardSettings(clips=args.clips, frames=args.frames, fps=args.fps,
                             short_side=args.short_side, quality=args.quality)
    start = time.perf_counter()
    source = build_source(args)
    with tqdm(desc='shards', unit='clip', total=len(source),
              mininterval=0.1 if sys.stderr.isatty() else 5) as bar:
        manifest = make_shards(source, args.out, settings, workers=args.workers,
                               verify=args.verify, progress=lambda done: bar.update(done - bar.n))
    print(f"{args.out}: {manifest['clips']} clips in {len(manifest['shards'])} shards, "
          f"{manifest['bytes'] / 1e9:.2f} GB, {manifest['broken']} broken videos left out, "
          f'{time.perf_counter() - start:.0f} s')


def main() -> None:
    """Make shards."""
    args = parse_args()
    from mmbt.engine.launch import run_tool
    run_tool(lambda: make(args))


if __name__ == '__main__':
    main()
