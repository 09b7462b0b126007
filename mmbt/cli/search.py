"""Search and label your own videos by text.

    mmbt search videos/ 'a dog runs'                 # indexes what is new, and answers
    mmbt search videos/film.mp4 'a dog runs' --model branch.pth --json
    mmbt search videos/                              # a prompt that answers line after line

VIDEOS is a folder, searched with its subfolders, or a file. What is found are moments, from when to
when. The index lies in the user's cache, one for each folder and model. A folder that is called
index, query or label is written ./index; -- comes before what begins with a dash.
"""
import argparse
import sys
from collections.abc import Sequence

from .options import add_cfg_options, add_device, cores

ONE = 'VIDEOS [TEXT]'
NEEDS = dict(index='--index', query='--index', label='--classes')
CONFIGS = ('.py', '.json', '.yaml', '.yml')
MODEL = 'clip-vit-l-14'
END, MARK = '--end-of-options', '\0'  # in the place of -- and before the words behind it
EPILOG = """\
index, query and label work on an index of your own: `mmbt search index --help`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is done, with which model, to which videos."""
    commands = parser.add_subparsers(dest='command', required=True)
    parser.set_defaults(commands=commands.choices)
    add_one(commands)
    for add in (add_index, add_query, add_label):
        add(commands)


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Read the command line: one of three sub-commands, or a folder and a text without any.

    Args:
        parser: With the arguments of :func:`add_arguments`.
        words: The command line.
    """
    name, words = pick(list(words))
    command = parser.get_default('commands')[name]
    args = read_words(command, words)
    args.command = name
    if name == ONE:
        args.model = args.model or MODEL
        return args
    named = args.model is None and args.words[:1] and args.words[0].endswith(CONFIGS)
    if named:  # CONFIG CHECKPOINT in the place of --model and --weights
        if len(args.words) < 2 or args.weights is not None:
            command.error(f'the config {args.words[0]} goes with a checkpoint behind it')
        args.model, args.weights, *args.words = args.words
    args.model = args.model or MODEL
    args.config = args.model if args.model.endswith(CONFIGS) else None
    if name == 'query' and args.words:
        command.error(f'unrecognized arguments: {" ".join(args.words)}')
    if name != 'query' and not args.words:
        command.error('the following arguments are required: VIDEOS')
    return args


def read_words(command: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Parse words and options in any order; what stands behind ``--`` is a word, however it begins.

    argparse forgets a ``--`` among words that are mixed with options.
    """
    if '--' in words:
        end = words.index('--')
        words = [*words[:end], END, *(MARK + word for word in words[end + 1:])]
    args = command.parse_intermixed_args(words)
    for name, value in vars(args).items():
        if isinstance(value, str):
            setattr(args, name, value.removeprefix(MARK))
        elif isinstance(value, list):
            setattr(args, name, [str(word).removeprefix(MARK) for word in value])
    return args


def pick(words: list[str]) -> tuple[str, list[str]]:
    """Which sub-command a command line is of, and what it gives it.

    ``index``, ``query`` and ``label`` are folders of that name where there are such and an option
    is missing that the sub-command must have.
    """
    name = words[0] if words else ''
    if name not in NEEDS:
        return ONE, words
    import os
    asked = any(word == '-h' or word == '--help' or word.split('=')[0] == NEEDS[name]
                for word in words)
    return (name, words[1:]) if asked or not os.path.exists(name) else (ONE, words)


def add_one(commands: argparse._SubParsersAction) -> None:
    """The command that needs no sub-command."""
    one = commands.add_parser(
        ONE, help='index what is new, and answer', description=__doc__, epilog=EPILOG,
        prog='mmbt search', formatter_class=argparse.RawDescriptionHelpFormatter)
    one.add_argument('videos', metavar='VIDEOS', help='a folder, or a file')
    one.add_argument('text', nargs='*', default=[], metavar='TEXT',
                     help='what the moment shows, in quotes; without it, a prompt is opened')
    add_model(one)
    one.add_argument('--without', action='append', default=[], metavar='TEXT',
                     help='what it does not show; may be given again')
    one.add_argument('--like', action='append', default=[], metavar='VIDEO',
                     help='what it looks like; may be given again')
    one.add_argument('--image', action='append', default=[], help='the same, a still picture')
    add_answer(one)
    one.add_argument('--csv', metavar='FILE', help='write a table of path, start, end, score')
    one.add_argument('--shell', action='store_true',
                     help='answer the text, if any, then open the prompt')
    one.add_argument('--index', metavar='FOLDER', help="in the place of the cache's")
    one.add_argument('--as-is', action='store_true',
                     help='answer from what is indexed, without a look for what is new')
    add_reading(one)


def add_index(commands: argparse._SubParsersAction) -> None:
    """``mmbt search index``."""
    index = add_command(commands, 'index', 'encode videos, and keep what they show in a folder')
    index.add_argument('--index', required=True, help='the folder')
    index.add_argument('--save-every', type=int, default=100, metavar='N',
                       help='save after so many videos; default: 100')
    index.add_argument('--import', dest='old', metavar='FILE',
                       help='take what has not changed since from an index of before, a .npz file '
                       'with one embedding a video')
    index.add_argument('--prune', action='store_true',
                       help='take videos whose files are gone out of the index')
    add_reading(index)


def add_query(commands: argparse._SubParsersAction) -> None:
    """``mmbt search query``."""
    query = add_command(commands, 'query', 'the moments of an index that fit all that is named')
    query.add_argument('--index', required=True, help='the folder that `index` wrote')
    query.add_argument('--text', nargs='+', default=[], help='what the moment shows')
    query.add_argument('--like', nargs='+', default=[], metavar='VIDEO', help='what it looks like')
    query.add_argument('--image', nargs='+', default=[], help='the same, a still picture')
    query.add_argument('--without', nargs='+', default=[], metavar='TEXT',
                       help='what it does not show')
    query.add_argument('--scope', metavar='FOLDER', help='find nothing outside it')
    add_answer(query)
    query.add_argument('--csv', metavar='FILE', help='write a table of path, start, end, score')


def add_label(commands: argparse._SubParsersAction) -> None:
    """``mmbt search label``."""
    label = add_command(commands, 'label', 'the classes that videos may be of')
    label.add_argument('--classes', nargs='+', required=True, metavar='NAME',
                       help='a file with a name a line, or two or more names')
    label.add_argument('--over-time', action='store_true',
                       help='label each window of time, and not the whole')
    label.add_argument('--top', type=int, default=5, metavar='N', help='default: 5')
    label.add_argument('--temperature', type=float,
                       help="default: that of the model's objectives, else 0.01")
    label.add_argument('--index',
                       help='take embeddings of this index, and videos that it lacks into it')
    label.add_argument('--json', action='store_true',
                       help='print a list of path, start and end (over time), and labels alone')
    label.add_argument('--csv', help='write a table of video, rank, class, probability; over '
                       'time with start and end')
    add_reading(label)


def add_command(commands: argparse._SubParsersAction, name: str,
                text: str) -> argparse.ArgumentParser:
    """A sub-command with what all of them take."""
    command = commands.add_parser(name, help=text, description=text, prog=f'mmbt search {name}')
    videos = '' if name == 'query' else 'files, and folders with their subfolders; '
    command.add_argument(
        'words', nargs='*', default=[], metavar='WORD' if name == 'query' else 'VIDEOS',
        help=f'{videos}a config and a checkpoint before may stand for --model and --weights')
    add_model(command)
    add_cfg_options(command, 'model.trunk.pretrained=None')
    return command


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which model, as ``mmbt.load`` takes it."""
    parser.add_argument('--model', metavar='NAME', default=None,
                        help='what mmbt.load takes: a name, a checkpoint or branch file, a folder '
                        f'or hub name of save_pretrained, a config; default: {MODEL}')
    parser.add_argument('--weights', metavar='FILE', help='the checkpoint of a config')
    parser.add_argument('--clip', metavar='FILE', help="CLIP's weights: a file, or open_clip's tag")
    parser.add_argument(END, action='store_true', help=argparse.SUPPRESS)
    add_device(parser)


def add_answer(parser: argparse.ArgumentParser) -> None:
    """How moments are ranked and shown."""
    parser.add_argument('--time', action='store_true',
                        help='of what frame means find, rank by what the branch adds')
    parser.add_argument('--top', type=int, default=10, metavar='N', help='default: 10')
    parser.add_argument('--json', action='store_true',
                        help='print a list of path, start, end (in seconds) and score alone')
    parser.add_argument('--sheet', metavar='FILE',
                        help='draw the first, middle and last frame of each, .png')


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How videos are read and encoded."""
    parser.add_argument('--batch-size', type=int, default=8, metavar='N', help='default: 8')
    parser.add_argument('--workers', type=int, default=min(4, cores()), metavar='N',
                        help='processes that read videos; default: 4, or as many as cores')
    parser.add_argument('--on-broken', choices=['skip', 'error'], default='skip',
                        help='what a video that cannot be read means; default: skip')


def run(args: argparse.Namespace) -> None:
    """Do it."""
    from . import search_work as work
    do = dict(index=work.index, query=work.query, label=work.label).get(args.command, work.find)
    try:
        do(args)
    except KeyboardInterrupt:
        print('\nstopped: what is indexed is kept, and the same command goes on', file=sys.stderr)
        sys.exit(130)
