"""Search and label your own videos by text.

    mmbt search index CONFIG CHECKPOINT videos/ --index index.npz
    mmbt search query CONFIG CHECKPOINT --index index.npz --text 'a dog runs'
    mmbt search label CONFIG CHECKPOINT videos/ --classes classes.txt

CONFIG is one of configs/zeroshot_* or of your own. An index that was cut short goes on where it was
last saved, and one that is there already takes in what is new or has changed.
"""
import argparse
from typing import TYPE_CHECKING

from .options import add_cfg_options, add_device, config_of, cores, pick_device, stdout_to_stderr

if TYPE_CHECKING:
    from mmbt.apis import VideoSearch


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done, with which model, to which videos."""
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
        command.add_argument('--workers', type=int, default=min(4, cores()),
                             help='processes that read videos; default: 4, or as many as cores')
        command.add_argument('--on-broken', choices=['skip', 'error'], default='skip',
                             help='what a video that cannot be read means; default: skip')


def add_command(commands: argparse._SubParsersAction, name: str,
                text: str) -> argparse.ArgumentParser:
    """A subcommand with what all of them take."""
    command = commands.add_parser(name, help=text, description=text)
    command.add_argument('config', help='a zero-shot config')
    command.add_argument('checkpoint', help='weights')
    add_device(command)
    add_cfg_options(command, 'model.trunk.pretrained=None')
    return command


def run(args: argparse.Namespace) -> None:
    """Do it."""
    dict(index=index, query=query, label=label)[args.command](args)


def build(args: argparse.Namespace) -> 'VideoSearch':
    """The model of the command line, with an empty index."""
    from mmbt.apis import VideoSearch
    config = config_of(args)
    with stdout_to_stderr():
        return VideoSearch.from_config(config, args.checkpoint, pick_device(args.device))


def index(args: argparse.Namespace) -> None:
    """Encode videos into a new index, or one that is there."""
    from mmbt.search.jobs import check_index_place, find_videos, index_videos
    check_index_place(args.index)
    videos = find_videos(args.videos)
    print(index_videos(build(args), videos, args.index, args.prune, args.save_every,
                       on_broken=args.on_broken, batch_size=args.batch_size,
                       workers=args.workers))


def query(args: argparse.Namespace) -> None:
    """Print the videos that fit, and draw them."""
    from mmbt.files.atomic import check_place
    from mmbt.search.jobs import must_be_there, shown
    must_be_there(args.index)
    if args.sheet:
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
    from mmbt.search.jobs import add_videos, find_videos, read_names, shown, write_labels
    from mmbt.search.video_search import check_labels
    if args.csv:
        check_place(args.csv)
    videos = find_videos(args.videos)
    classes = check_labels(read_names(args.classes), args.top,
                           0.01 if args.temperature is None else args.temperature)
    search = build(args)
    if args.index:
        search.load_index(args.index)
    add_videos(search, videos, on_broken=args.on_broken, batch_size=args.batch_size,
               workers=args.workers)
    labels = search.labels(videos, classes, args.top, args.temperature)
    for path, found in labels.items():
        print(shown(path))
        for name, probability in found:
            print(f'  {probability:.3f}  {printable(name)}')
    if args.csv:
        write_labels(labels, args.csv)
