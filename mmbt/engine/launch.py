"""Run a tool: one line for what its user can put right, a traceback for anything else."""
import ctypes
import io
import logging
import os
import os.path as osp
import re
import sys
from argparse import Namespace
from collections.abc import Callable

from mmengine.config import Config
from mmengine.runner import Runner

from mmbt.files.disk_errors import describe_disk_error, file_of
from mmbt.files.shown import ANY_NAME, printable

TRACEBACK = 'MMBT_TRACEBACK'

# Of glibc's malloc.h: the size of free memory at the heap's end that is given back, and how many
# buffers may be mapped by themselves.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4

# What bad input raises: a value that is not allowed, a path that cannot be read.
BAD_INPUT = (ValueError, FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)

# Older mmengine puts the class and file it was building in front of an error's own words.
REGISTRY_PREFIX = re.compile(r'^(class `[^`]*` in \S+: )+')

# A misspelt key of a config reaches the class that it configures.
UNKNOWN_KEY = re.compile(
    r'(?P<name>\w+)\.__init__\(\) got an unexpected keyword argument (?P<key>.*)')

# torch puts the worker's whole traceback in front.
WORKER_ERROR = re.compile(r'^Caught \w+ in .*\n[\w.]+(?:Error|Exception): (?P<message>.*)', re.S)


def run_tool(work: Callable[[], object]) -> None:
    """Do a tool's work; exit with status 1 and one line on stderr where its input is bad.

    With ``MMBT_TRACEBACK=1`` in the environment every error keeps its traceback.

    Args:
        work: What the tool does once its arguments are parsed.
    """
    keep_buffers()
    _print_any_name()
    _tell_log_errors_once()
    try:
        work()
    except Exception as error:
        message = describe(error)
        if message is None or os.environ.get(TRACEBACK) == '1':
            raise
        sys.exit(f'error: {printable(message)} ({TRACEBACK}=1 shows where)')


def _print_any_name() -> None:
    """Let this process print names of files that are not UTF-8."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == 'strict':
            stream.reconfigure(errors=ANY_NAME)


def _tell_log_errors_once() -> None:
    """Say in one line that a log cannot be written, where Python shows each record's traceback."""
    told: set[int] = set()
    original = logging.Handler.handleError

    def handle_error(self: logging.Handler, record: logging.LogRecord) -> None:
        error = sys.exc_info()[1]
        line = None if error is None else describe_disk_error(error)
        if line is None:
            original(self, record)
        elif id(self) not in told:
            told.add(id(self))
            print(f'warning: the log is not complete: {line}', file=sys.stderr)

    if original.__name__ != handle_error.__name__:
        logging.Handler.handleError = handle_error  # type: ignore[method-assign]


def keep_buffers() -> bool:
    """Let this process keep the memory that it frees for what it allocates next.

    glibc gives large buffers back to the system after each use, and the page faults of taking them
    anew cost a tenth of a training on a CPU.

    Returns:
        Whether it does; not where there is a GPU, whose buffers are not glibc's, nor where the user
        has set up the allocator with ``MALLOC_...`` or ``GLIBC_TUNABLES``, nor without glibc.
    """
    import torch
    settled = any(name.startswith('MALLOC_') or name == 'GLIBC_TUNABLES' for name in os.environ)
    if settled or torch.cuda.is_available():
        return False
    mallopt = getattr(ctypes.CDLL(None), 'mallopt', None) if os.name == 'posix' else None
    return mallopt is not None and all([
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1), mallopt(M_MMAP_MAX, 0)])


def describe(error: Exception) -> str | None:
    """The one line that tells a user what was wrong with their input.

    Args:
        error: What was raised.

    Returns:
        The line; None where the error is not about the input.
    """
    refused = None if isinstance(error, ValueError) else describe_disk_error(error)
    if refused is not None:
        return refused
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        message = f'{file_of(error)}: {error.strerror}'
    elif isinstance(error, KeyError):
        message = str(error.args[0]) if error.args else ''
        if ' registry. ' not in message:  # a name that no registry knows
            return None
    else:
        message = str(error)
    unknown = UNKNOWN_KEY.search(message) if isinstance(error, TypeError) else None
    if unknown:
        return f"{unknown['name']} takes no {unknown['key'].strip()}; check the key in the config"
    if not isinstance(error, BAD_INPUT + (KeyError,)):
        return None
    worker = WORKER_ERROR.match(message)
    message = worker['message'] if worker else message
    return ' '.join(REGISTRY_PREFIX.sub('', message).split()) or type(error).__name__


def load_config(path: str) -> Config:
    """Read a config, and run the imports that it asks for.

    Args:
        path: The file.

    Returns:
        The config with everything it inherits.

    Raises:
        ValueError: It is no Python.
    """
    try:
        return Config.fromfile(path)
    except SyntaxError as error:
        raise ValueError(f'{path}: line {error.lineno}: {error.msg}') from error


def set_work_dir(cfg: Config, args: Namespace) -> None:
    """Take the folder for logs and weights from the flag, else the config, else the config's name.

    Args:
        cfg: The config, changed in place.
        args: The tool's ``config`` and ``work_dir``.
    """
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = osp.join('work_dirs', osp.splitext(osp.basename(args.config))[0])


def skip_idle_weights(cfg: Config) -> None:
    """Fetch no CLIP weights where the checkpoint to be tested holds them already.

    Args:
        cfg: The config, with ``load_from``; changed in place.
    """
    from mmengine.runner.checkpoint import CheckpointLoader

    from mmbt.models.checkpoints.checkpoint import holds_trunk, without_weights
    trunk = cfg.model.get('trunk')
    if trunk and trunk.get('pretrained') and osp.isfile(cfg.load_from) and holds_trunk(
            CheckpointLoader.load_checkpoint(cfg.load_from, map_location='cpu')):
        cfg.model.trunk = without_weights(trunk)


def build_runner(cfg: Config) -> Runner:
    """Build the runner that a config describes.

    Args:
        cfg: A whole config.

    Returns:
        MMEngine's, or the one that ``runner_type`` names.

    Raises:
        FileNotFoundError: The weights to start from are not there; CLIP's are not fetched then.
    """
    from mmaction.registry import RUNNERS

    from mmbt.models.checkpoints.checkpoint import must_exist
    if 'runner_type' in cfg:
        return RUNNERS.build(cfg)
    if cfg.get('load_from') is not None:
        must_exist(cfg.load_from)
    return Runner.from_cfg(cfg)
