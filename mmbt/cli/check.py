"""Look at every video before it is used.

    mmbt check data/webvid/videos

Some frames of each are read, by several processes. OUT, a CSV table, has a row a video: codec,
size, rotation, frames that the header claims and that are shown, seconds, and why it cannot be
read; a hang or a crash is told as such, and copies of one file are named. What is found is kept in
OUT.journal, so that the same command goes on where it was stopped. Exit status 1 where a video
cannot be read.
"""
import argparse
import importlib.util
import os
import sys
import types

from .options import cores, steady_bar

ALONE = True  # `import mmbt` would take longer than many a folder
SPLITS = ('train', 'val', 'test')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Videos, and how closely they are looked at."""
    parser.add_argument('videos', nargs='*', help='files, and folders of them')
    parser.add_argument('--list', metavar='FILE', help='a text file with a path a line')
    parser.add_argument('--root', default='', metavar='FOLDER', help="what the list's paths start "
                        'from')
    parser.add_argument('--config', help='a config; the videos of its data set')
    parser.add_argument('--split', choices=SPLITS, default='train',
                        help="which of the config's (default: train)")
    parser.add_argument('--out', default='videos.csv', help='the table (default: videos.csv)')
    parser.add_argument('--workers', type=int, default=cores(),
                        help='processes; default: as many as cores')
    parser.add_argument('--frames', type=int, default=8, help='frames read of each (default: 8)')
    parser.add_argument('--deadline', type=float, default=60,
                        help='seconds for each, and one more for each 8 MB of it (default: 60)')


def run(args: argparse.Namespace) -> None:
    """Check; end with status 1 where a video cannot be read."""
    try:
        if not args.config:
            import_parts_alone()
        good = check(args)
    except (ValueError, OSError) as error:
        if os.environ.get('MMBT_TRACEBACK') == '1':
            raise
        sys.exit(f'error: {" ".join(str(error).split())} (MMBT_TRACEBACK=1 shows where)')
    if not good:
        sys.exit(1)


def import_parts_alone() -> None:
    """Let parts of mmbt be imported without what ``import mmbt`` does, which takes seconds."""
    if 'mmbt' in sys.modules:
        return
    spec = importlib.util.find_spec('mmbt')
    if spec is None or not spec.submodule_search_locations:
        raise ValueError('mmbt is not installed: pip install -e .')
    folder, = spec.submodule_search_locations
    for name in ('mmbt', 'mmbt.datasets'):
        package = types.ModuleType(name)
        package.__path__ = [os.path.join(folder, *name.split('.')[1:])]
        sys.modules[name] = package


def list_videos(args: argparse.Namespace) -> list[str]:
    """The paths that the command line names.

    Raises:
        FileNotFoundError: If a path is missing.
        ValueError: If there is none.
    """
    from mmbt.datasets.video_files import find_videos
    paths = of_config(args.config, args.split) if args.config else []
    paths += find_videos(args.videos) if args.videos else []
    if args.list:
        with open(args.list, encoding='utf-8-sig', errors='surrogateescape') as file:
            paths += [os.path.join(args.root, line.strip()) for line in file if line.strip()]
    if not paths:
        raise ValueError('no videos: name files or folders, a --list, or a --config')
    return paths


def of_config(config: str, split: str) -> list[str]:
    """The videos of a config's data set; folders of frames are left out."""
    from mmbt.apis import videos_of_dataset
    from mmbt.engine.launch import load_config

    loader = load_config(config).get(f'{split}_dataloader')
    if not loader:
        raise ValueError(f'{config} has no {split}_dataloader; --split says which it has')
    return videos_of_dataset(loader.dataset)


def check(args: argparse.Namespace) -> bool:
    """Check, write the table and print the summary; whether all can be read."""
    from tqdm import tqdm

    from mmbt.reading.check import check_videos
    from mmbt.reading.check_report import find_copies, summary, write_table
    paths = list_videos(args)
    with tqdm(desc='videos', unit='', total=len(set(paths)),
              mininterval=steady_bar()) as bar:
        checked = check_videos(paths, f'{args.out}.journal', args.workers, args.frames,
                               args.deadline, lambda done, total: bar.update(done - bar.n))
        bar.update(len(checked) - bar.n)
    copies = find_copies(checked)
    write_table(checked, copies, args.out)
    print('\n'.join(summary(checked, copies)))
    print(f'  every video is in {args.out}')
    return all(video.status == 'ok' for video in checked)
