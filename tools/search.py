"""Search and label your own videos by text.

``python tools/search.py index CONFIG CHECKPOINT videos/ --index index.npz``
``python tools/search.py query CONFIG CHECKPOINT --index index.npz --text 'a dog runs'``
``python tools/search.py label CONFIG CHECKPOINT videos/ --classes classes.txt``

CONFIG is one of configs/zeroshot_* or of your own. An index that was cut short goes on where it
was last saved, and one that is there already takes in what is new or has changed.
"""
import argparse
import contextlib
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmbt.apis import VideoSearch


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest='command', required=True)
    index = add_command(commands, 'index', 'encode videos, and keep what they show in a file')
    index.add_argument('videos', nargs='+', help='files, and folders with their subfolders')
    index.add_argument('--index', required=True, help='the file, .npz')
    index.add_argument('--save-every', type=int, default=100, metavar='N',
                       help='save after so many videos; default: 100')
    index.add_argument('--prune', action='store_true',
                       help='take videos whose files are gone out of the index')
    query = add_command(commands, 'query', 'the videos of an index that a text describes')
    query.add_argument('--index', required=True, help='the file that `index` wrote')
    what = query.add_mutually_exclusive_group(required=True)
    what.add_argument('--text', help='what the videos show')
    what.add_argument('--like', metavar='VIDEO', help='a video that they look like')
    query.add_argument('--top', type=int, default=10, help='default: 10')
    query.add_argument('--sheet', help='draw the first, middle and last frame of each, .png')
    label = add_command(commands, 'label', 'the classes that videos may be of')
    label.add_argument('videos', nargs='+', help='files, and folders with their subfolders')
    label.add_argument('--classes', nargs='+', required=True, metavar='NAME',
                       help='a file with a name a line, or two or more names')
    label.add_argument('--top', type=int, default=5, help='default: 5')
    label.add_argument('--temperature', type=float,
                       help="default: that of the model's objectives, else 0.01")
    label.add_argument('--index', help='take embeddings of this index; it is not changed')
    label.add_argument('--csv', help='write a table of video, rank, class, probability')
    for command in (index, label):
        command.add_argument('--batch-size', type=int, default=8, help='default: 8')
        command.add_argument('--workers', type=int, default=min(4, os.cpu_count() or 1),
                             help='processes that read videos; default: 4, or as many as cores')
        command.add_argument('--on-broken', choices=['skip', 'error'], default='skip',
                             help='what a video that cannot be read means; default: skip')
    return parser.parse_args()


def add_command(commands: argparse._SubParsersAction, name: str,
                text: str) -> argparse.ArgumentParser:
    """A subcommand with what all of them take."""
    from mmengine.config import DictAction

    command = commands.add_parser(name, help=text, description=text)
    command.add_argument('config', help='a zero-shot config')
    command.add_argument('checkpoint', help='weights')
    command.add_argument('--device', help='default: cuda where there is')
    command.add_argument('--cfg-options', nargs='+', action=DictAction, default={},
                         help='changes of the config')
    return command


def build(args: argparse.Namespace) -> 'VideoSearch':
    """The model of the command line, with an empty index."""
    import mmbt  # noqa: F401  registers the models
    from mmbt.apis import VideoSearch
    from mmbt.engine.launch import load_config

    config = load_config(args.config)
    config.merge_from_dict(args.cfg_options)
    with contextlib.redirect_stdout(sys.stderr):  # mmengine says there what it loads
        return VideoSearch.from_config(config, args.checkpoint, pick_device(args.device))


def pick_device(name: str | None) -> str:
    """The device that was asked for; else cuda where there is.

    Raises:
        ValueError: If it cannot be used.
    """
    import torch
    if name is None:
        return 'cuda' if torch.cuda.is_available() else 'cpu'
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f'--device {name} cannot be used: {str(error).splitlines()[0]}') from error
    return name


def find_videos(paths: Sequence[str]) -> list[str]:
    """The files that were named, and the videos below folders that were, by suffix and sorted.

    Raises:
        FileNotFoundError: If a path is missing.
        ValueError: If there is no video.
    """
    from mmbt.datasets.video_files import VIDEO_SUFFIXES
    from mmbt.files.walk import files_below
    found: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(f'{path} is missing: name videos, or folders that hold some')
        found += files_below(path, VIDEO_SUFFIXES) if os.path.isdir(path) else [path]
    if not found:
        raise ValueError(f'no videos in {", ".join(paths)}')
    return found


def shown(path: str) -> str:
    """A path as it is shortest, from the working folder or absolute, for a terminal."""
    from mmbt.files.shown import printable
    inside = os.path.relpath(path)
    return printable(path if inside.startswith(os.pardir) else inside)


class Progress:
    """Says on stderr how far it is, and saves every so many videos.

    Args:
        save: Called to save.
        every: Videos between two saves.
    """

    def __init__(self, save: Callable[[], None], every: int) -> None:
        if every < 1:
            raise ValueError(f'--save-every must be at least 1, got {every}')
        self.save = save
        self.every = every
        self.saved = 0
        self.start = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """After a batch: ``done`` of ``total`` videos."""
        due = done - self.saved >= self.every or done == total
        if due:
            self.save()
            self.saved = done
        if due or sys.stderr.isatty():
            speed = done / max(time.monotonic() - self.start, 1e-9)
            print(f'{done} of {total} videos, {speed:.1f} a second', file=sys.stderr, flush=True,
                  end='\r' if sys.stderr.isatty() and done < total else '\n')


def add(search: 'VideoSearch', videos: list[str], args: argparse.Namespace,
        progress: Progress) -> int:
    """Encode what is to be encoded; say which videos could not be read, and return how many."""
    from mmbt.files.shown import printable
    new = search.add(videos, args.on_broken, progress, args.batch_size, args.workers)
    broken = [path for path in dict.fromkeys(map(os.path.abspath, videos))
              if path in search.broken]
    if broken:
        print(f'{len(broken)} of {len(videos)} videos left out, since they cannot be read:',
              file=sys.stderr)
    for path in broken:
        print(f'  {printable(search.broken[path])}', file=sys.stderr)
    return new


def index_videos(args: argparse.Namespace) -> None:
    """Encode videos into a new index, or one that is there."""
    if os.path.isdir(args.index):
        raise ValueError(f'--index {args.index} is a folder; name a file in it')
    videos = find_videos(args.videos)
    search = build(args)
    search.open_index(args.index)
    gone = search.drop_missing() if args.prune else []
    search.save(args.index)  # what cannot be written is known before the work
    progress = Progress(lambda: search.save(args.index), args.save_every)
    try:
        new = add(search, videos, args, progress)
    finally:
        search.save(args.index)
    dropped = f', {len(gone)} gone' if args.prune else ''
    print(f'{args.index}: {len(search)} videos, {new} of them encoded now{dropped}')


def query(args: argparse.Namespace) -> None:
    """Print the videos that fit, and draw them."""
    if not Path(args.index).is_file():
        raise FileNotFoundError(f'index {args.index} is missing: make it with `search.py index`')
    if args.sheet:
        from mmbt.files.atomic import check_place
        check_place(args.sheet)
    search = build(args)
    search.load_index(args.index)
    hits = (search.search(args.text, args.top) if args.like is None
            else search.similar(args.like, args.top))
    for path, cosine in hits:
        print(f'{cosine:.3f}  {shown(path)}')
    if args.sheet:
        from mmbt.search.sheet import draw_sheet
        draw_sheet([(shown(path), cosine) for path, cosine in hits],
                   args.text or f'like {args.like}', args.sheet)


def label(args: argparse.Namespace) -> None:
    """Print the classes of each video, and write them as a table."""
    from mmbt.files.atomic import check_place
    from mmbt.files.shown import printable
    from mmbt.search.video_search import check_labels
    if args.csv:
        check_place(args.csv)
    videos = find_videos(args.videos)
    classes = check_labels(read_names(args.classes), args.top,
                           0.01 if args.temperature is None else args.temperature)
    search = build(args)
    if args.index:
        search.load_index(args.index)
    add(search, videos, args, Progress(lambda: None, 100))
    known = set(search.paths)
    rows = []
    for path in dict.fromkeys(map(os.path.abspath, videos)):
        if path not in known:
            continue
        found = search.label(path, classes, args.top, args.temperature)
        print(shown(path))
        for rank, (name, probability) in enumerate(found, start=1):
            print(f'  {probability:.3f}  {printable(name)}')
            rows.append((shown(path), rank, name, f'{probability:.6f}'))
    if args.csv:
        write_table(rows, args.csv)


def read_names(names: list[str]) -> list[str]:
    """Class names as they were typed, or of the one file that was named."""
    from mmbt.models.class_names import read_classes
    if len(names) > 1:
        return names
    if not Path(names[0]).is_file():
        raise FileNotFoundError(f'--classes {names[0]}: no such file; name a file with a class a '
                                'line, or two or more classes')
    return read_classes(names[0])


def write_table(rows: list[tuple], path: str) -> None:
    """Write the labels as CSV, whole or not at all, with no cell that a spreadsheet would run."""
    from mmbt.files.atomic import whole_file
    from mmbt.files.shown import write_csv
    with whole_file(path) as draft, open(draft, 'w', newline='', encoding='utf-8') as file:
        write_csv(file, [('video', 'rank', 'class', 'probability'), *rows])


def main() -> None:
    """Run the tool."""
    args = parse_args()
    warnings.simplefilter('ignore')
    from mmbt.engine.launch import run_tool
    work = dict(index=index_videos, query=query, label=label)[args.command]
    try:
        run_tool(lambda: work(args))
        sys.stdout.flush()
    except BrokenPipeError:  # what reads the output, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == '__main__':
    main()
