"""What several sub-commands take, and what they do with it."""
import argparse
import contextlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmengine.config import Config


def add_cfg_options(parser: argparse.ArgumentParser, example: str) -> None:
    """``--cfg-options``, as MMEngine's tools have it; read by :func:`cfg_options`."""
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
        help=f'override settings of the config, such as {example}; a list is key="[a,b]" or '
        'key=a,b, quoted and without spaces')


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """How several processes were started, as MMEngine's tools have it."""
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
        help='how the processes were started')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0,
                        help='set by the launcher')


def add_device(parser: argparse.ArgumentParser) -> None:
    """``--device``, read by :func:`pick_device`."""
    parser.add_argument('--device', help='default: cuda where there is')


def cfg_options(words: Sequence[str]) -> dict[str, Any]:
    """The settings that ``--cfg-options`` names, as MMEngine reads them.

    Raises:
        ValueError: If a word is no ``KEY=VALUE``.
    """
    from mmengine.config import DictAction
    for word in words:
        if '=' not in word:
            raise ValueError(f'--cfg-options {word}: settings are written KEY=VALUE')
    pairs = (word.split('=', maxsplit=1) for word in words)
    return {key: DictAction._parse_iterable(value) for key, value in pairs}


def config_of(args: argparse.Namespace) -> 'Config':
    """The config file that was named, with the settings that were overridden."""
    import mmbt  # noqa: F401  registers what configs name
    from mmbt.engine.launch import load_config
    config = load_config(args.config)
    config.merge_from_dict(cfg_options(args.cfg_options))
    return config


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


def stdout_to_stderr() -> contextlib.AbstractContextManager:
    """For the time that a model is loaded, of which MMEngine speaks on stdout."""
    return contextlib.redirect_stdout(sys.stderr)


def logs_to_stderr() -> None:
    """Let what MMEngine logs go to stderr, also where it found stdout before."""
    from mmengine.logging import MMLogger
    for handler in MMLogger.get_current_instance().handlers:
        if type(handler) is logging.StreamHandler:
            handler.stream = Stderr()


class Stderr:
    """``sys.stderr``, whatever it is when something is written."""

    def write(self, text: str) -> None:
        """Write it there."""
        sys.stderr.write(text)

    def flush(self) -> None:
        """The same."""
        sys.stderr.flush()


def steady_bar() -> float:
    """Seconds between two states of a progress bar: smooth on a terminal, a few lines in a log."""
    return 0.1 if sys.stderr.isatty() else 5


def cores() -> int:
    """Processor cores, one at least."""
    return os.cpu_count() or 1
