"""The ``mmbt`` command. Parsers are read without torch, so that ``--help`` is there at once.

Each sub-command is a module of its name with ``HELP``, ``add_arguments(parser)`` and ``run(args)``,
which imports the room that does the work; one whose words no parser tells apart has
``parse(parser, words)`` too. ``tools/mmbt`` loads this package by its folder, since
``import mmbt`` takes seconds; it therefore imports nothing but the standard library and itself.
"""
import argparse
import difflib
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

COMMANDS = dict(
    train='train a model: pretraining, tuning, ablations',
    test='evaluate a model: zero-shot retrieval and recognition',
    search='search and label your own videos by text',
    embed='embed a million videos on many machines, for search',
    explain='see which frames and patches of a video answer a text',
    app='a page: search, labels, comparison and conversation',
    serve='the JSON API of search and labels',
    chat='talk with an image dialogue model about a video',
    converse='benchmarks of conversation: answered, judged, reported',
    convert="convert the authors' released weights",
    prepare='make lists of published annotation files, shards, the moving-shapes world',
    cache='keep what a frozen CLIP makes of every clip, for trainings to read',
    check='look at every video before it is used',
    ablate="run rows of the paper's tables and figures",
    bench="measure speed and memory against the machine's own limit",
    demo='the whole paper in miniature, in minutes',
)


def main(argv: Sequence[str] | None = None) -> None:
    """Run what the command line says.

    Args:
        argv: Its words after the program's name; those of this process where it is not given.

    Raises:
        SystemExit: With one line where the input is wrong, and where a parser ends the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ('-h', '--help'):
        print(overview())
        return
    if words[0] in ('-V', '--version'):
        print(f'mmbt {version()}')
        return
    name, *rest = words
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        meant = f': did you mean {near[0]}?' if near else f"; there are {', '.join(COMMANDS)}"
        sys.exit(f'error: mmbt has no command {name!r}{meant}')
    command = load(name)
    args = parse(name, command, rest)
    if hasattr(command, 'before_import'):  # for what is read when torch is imported
        command.before_import(args)
    if getattr(command, 'ALONE', False):  # sees to everything itself, and imports less
        command.run(args)
        return
    if name not in ('train', 'test'):  # whose logs show warnings
        warnings.simplefilter('ignore')
    from mmbt.engine.launch import run_tool
    try:
        run_tool(lambda: command.run(args))
        sys.stdout.flush()
    except BrokenPipeError:  # what reads the output, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(name: str) -> ModuleType:
    """The module of a sub-command."""
    return import_module(f'.{name}', __name__)


def parse(name: str, command: ModuleType, words: Sequence[str]) -> argparse.Namespace:
    """What a sub-command makes of its words, by its own ``parse`` where it has one."""
    parser = parser_of(name, command)
    own = getattr(command, 'parse', None)
    return parser.parse_args(words) if own is None else own(parser, words)


def parser_of(name: str, command: ModuleType) -> argparse.ArgumentParser:
    """The parser of a sub-command, from its module."""
    parser = argparse.ArgumentParser(
        f'mmbt {name}', description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_arguments(parser)
    return parser


def overview() -> str:
    """What ``mmbt --help`` prints."""
    lines = [f'  {name:10s}{text}' for name, text in COMMANDS.items()]
    return '\n'.join(['usage: mmbt COMMAND ...', '',
                      'Video understanding beside a frozen image-text model (BT-Adapter).', '',
                      *lines, '', '`mmbt COMMAND --help` tells the rest. MMBT_TRACEBACK=1 shows '
                      'where an error arose.'])


def version() -> str:
    """The package's version, read without importing it."""
    text = Path(__file__).parents[1].joinpath('version.py').read_text(encoding='utf-8')
    return text.partition("__version__ = '")[2].partition("'")[0]
