"""What ``mmbt search`` does, once its command line is read."""
import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

from .options import config_of, logs_to_stderr, pick_device, stdout_to_stderr

if TYPE_CHECKING:
    from mmbt.apis import VideoSearch
    from mmbt.search.query import Hit, Query


def find(args: argparse.Namespace) -> None:
    """Index what is new in a folder or a file, and answer: a text, or line after line."""
    from mmbt.datasets.video_files import find_videos
    from mmbt.search.folder_search import FolderSearch
    from mmbt.search.jobs import check_index_place, tell_approximate
    query, answers = query_of(args), sys.stdout
    asks_on = args.shell or query is None
    check_output(args)
    if asks_on and (args.csv or args.sheet):
        raise ValueError('--csv and --sheet keep the answer to one text: give it, without --shell')
    find_videos([args.videos])
    if args.index is not None:
        check_index_place(args.index)
    with stdout_to_stderr():
        videos = FolderSearch(build(args), args.videos, args.index)
        print(videos.open() if args.as_is else videos.update(**reading(args)))
        if query is not None or asks_on:
            tell_approximate(videos.search.index)
        if query is not None:
            show(videos.ask(query, args.top), args, answers)
        if asks_on:
            ask_on(args, videos, answers)


def query_of(args: argparse.Namespace) -> 'Query | None':
    """What the command line asks; None where it asks nothing yet.

    Raises:
        ValueError: If the text is in several words.
    """
    from mmbt.search.labels import check_top
    from mmbt.search.query import Query
    check_top(args.top)
    if len(args.text) > 1:
        raise ValueError('one folder or file, then one text in quotes: after '
                         f'{args.videos} came {len(args.text)} words, {" ".join(args.text)}')
    if not (args.text or args.like or args.image or args.without):
        return None
    return Query(tuple(args.text), tuple(args.like), tuple(args.image), tuple(args.without),
                 'time' if args.time else 'plain')


def ask_on(args: argparse.Namespace, videos: Any, answers: TextIO) -> None:
    """Answer lines of stdin, until it ends or Ctrl-C is pressed."""
    from mmbt.search.shell import Shell
    shell = Shell(videos, args.top, args.json, 'time' if args.time else 'plain',
                  tuple(args.without), reading(args), answers)
    with contextlib.suppress(KeyboardInterrupt):
        shell.run(typed_lines(answers))


def typed_lines(answers: TextIO) -> Iterator[str]:
    """What is typed, or piped, line by line."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors='surrogateescape')
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    print('A text a line; :help tells the rest.', file=sys.stderr)
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  lets input() edit the line and recall those before
    try:
        while True:
            with contextlib.redirect_stdout(answers if answers.isatty() else sys.stderr):
                line = input('> ')
            yield line
    except (EOFError, KeyboardInterrupt):
        print(file=sys.stderr)


def build(args: argparse.Namespace) -> 'VideoSearch':
    """The model of the command line, with an empty index."""
    device = pick_device(args.device)
    config, model = getattr(args, 'config', None), args.model
    with stdout_to_stderr():
        logs_to_stderr()
        if config is not None and args.clip is None:
            from mmbt.apis import VideoSearch
            return VideoSearch.from_config(config_of(args), args.weights, device)
        if getattr(args, 'cfg_options', None):
            raise ValueError(f'--cfg-options goes with a config, and {model} is none: leave it out')
        import mmbt
        from mmbt.search.load import CLIPS
        try:
            return mmbt.load(model, device, weights=args.weights, clip=args.clip).videos
        except FileNotFoundError as error:
            if model.lower() not in CLIPS:
                raise
            why = str(error).partition(';')[0]
            raise FileNotFoundError(f'{why}: fetch them once with a network, name a file of them '
                                    'with --clip, or another model with --model') from error


def reading(args: argparse.Namespace) -> dict[str, Any]:
    """How videos are read and encoded."""
    return dict(on_broken=args.on_broken, batch_size=args.batch_size, workers=args.workers)


def check_output(args: argparse.Namespace) -> None:
    """Refuse files that cannot be written, before the work that they are for."""
    from mmbt.files.atomic import check_place
    for path in (getattr(args, 'sheet', None), args.csv):
        if path:
            check_place(path)


def show(hits: 'list[Hit]', args: argparse.Namespace, answers: TextIO) -> None:
    """Print moments, write their table, and draw them."""
    from mmbt.search.tables import hit_lines, shown, write_hits
    for line in hit_lines(hits, args.json):
        print(line, file=answers)
    if args.csv:
        write_hits(hits, args.csv)
    if args.sheet:
        from mmbt.search.sheet import draw_sheet
        texts = args.text if isinstance(args.text, list) else [args.text]
        draw_sheet(hits, ', '.join([*texts, *(f'like {path}' for path in args.like)]),
                   args.sheet, shown)


def index(args: argparse.Namespace) -> None:
    """Encode videos into a new index, or one that is there."""
    from mmbt.datasets.video_files import find_videos
    from mmbt.search.jobs import check_index_place, index_videos
    check_index_place(args.index)
    videos = find_videos(args.words)
    print(index_videos(build(args), videos, args.index, args.prune, args.save_every,
                       args.old, **reading(args)))


def query(args: argparse.Namespace) -> None:
    """Print the moments of an index that fit, and draw them."""
    from mmbt.search.jobs import must_be_there, tell_approximate
    from mmbt.search.query import Query
    looked_for = Query(tuple(args.text), tuple(args.like), tuple(args.image), tuple(args.without),
                       'time' if args.time else 'plain', args.scope)
    must_be_there(args.index)
    check_output(args)
    search, answers = build(args), sys.stdout
    with stdout_to_stderr():
        search.open(args.index)
        tell_approximate(search.index)
        only_like = len(args.like) == 1 and looked_for == Query(videos=looked_for.videos)
        hits = (search.similar(args.like[0], args.top) if only_like
                else search.search(looked_for, args.top))
        show(hits, args, answers)


def label(args: argparse.Namespace) -> None:
    """Print the classes of each video, or of its windows, and write them as a table."""
    from mmbt.datasets.video_files import find_videos
    from mmbt.search.jobs import add_videos, read_names
    from mmbt.search.labels import check_labels
    from mmbt.search.tables import label_lines, write_labels
    check_output(args)
    videos = find_videos(args.words)
    classes = check_labels(read_names(args.classes), args.top,
                           0.01 if args.temperature is None else args.temperature)
    search, answers = build(args), sys.stdout
    with stdout_to_stderr():
        if args.index:
            search.open(args.index)
        add_videos(search, videos, **reading(args))
        labels = search.labels(videos, classes, args.top, args.temperature, args.over_time)
    for line in label_lines(labels, args.json):
        print(line, file=answers)
    if args.csv:
        write_labels(labels, args.csv)
