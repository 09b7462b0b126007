"""Safe loading: validate checkpoint files, and run nothing of what they hold.

A pickle may call any function. The reader here, in the place of ``torch.load``, calls none:
tensors, plain values and what mmengine's own runs store beside them are made by constructors of our
own (``checkpoint_values.py``); every record of a zip is compared with its checksum.
"""
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import load_file as load_safetensors_file

from .checkpoint_file import CheckpointFile, OldCheckpoint, ZipCheckpoint
from .source import with_source

WEIGHTS_ONLY = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
NOT_WEIGHTS_ONLY = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
CODE = re.compile(r'GLOBAL .*|a call of .*|a state for .*|a new .*')
REMEDY = ("only tensors, plain values, numpy arrays and mmengine's own records are loaded; ask its "
          'author for a file of weights alone')
WEIGHTS = ('state_dict', 'ema_state_dict')
LONGEST_NAME = 500  # of a weight

# What torch and mmengine raise for parts of a checkpoint that are not a run's.
MISFITS = (ValueError, TypeError, LookupError, AttributeError, AssertionError, RuntimeError,
           ArithmeticError)

LONGEST_WAIT = 60  # seconds that another thread's torch.load waits for this one's to be over
_replacing = threading.RLock()
_bystanders: frozenset[threading.Thread] = frozenset()


class CheckpointError(ValueError):
    """A file that is not loaded.

    Args:
        name: The file.
        reason: What is wrong with it.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(refusal(name, reason))
        self.reason = reason


def read_checkpoint(file: Any, place: Any = None, mapped: bool = False) -> Any:
    """What a checkpoint holds: a file of ``torch.save``, old or new, or of safetensors.

    Args:
        file: Its path, or the file opened at its beginning.
        place: The device that tensors are put on; ``'meta'`` for shapes alone. Anything but a
            device, such as None, is the CPU.
        mapped: Whether weights may be mapped from the disk, so that those not used take no memory.

    Raises:
        OSError: The file cannot be opened.
        CheckpointError: It is no checkpoint, is damaged, or holds something else than tensors,
            plain values and what mmengine's runs store. The line begins with the file's name.
    """
    if not isinstance(file, (str, os.PathLike)):
        return _read(file, getattr(file, 'name', 'the data'), _device(place), None)
    path = os.fspath(file)
    with open(path, 'rb') as opened:
        return _read(opened, path, _device(place), path if mapped and _is_utf8(path) else None)


def _read(file: Any, name: str, place: torch.device, mapped: str | None) -> Any:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    try:
        start = file.read(9)
        file.seek(0)
        if start[8:] == b'{':  # eight bytes of length, then JSON
            return _read_safetensors(file, name, place)
        reader: CheckpointFile
        if start[:2] == b'PK':
            reader = ZipCheckpoint(file, size, place, mapped)
        else:
            reader = OldCheckpoint(file, size, place)
        return reader.read()
    except Exception as error:  # zipfile, zlib, pickle, struct and torch raise two dozen kinds
        raise CheckpointError(name, first_line(error)) from error


def _read_safetensors(file: Any, name: str, place: torch.device) -> dict[str, torch.Tensor]:
    if os.path.isfile(name) and _is_utf8(name):
        return load_safetensors_file(name, str(place))
    return {key: value.to(place) for key, value in load_safetensors(file.read()).items()}


def _is_utf8(path: str) -> bool:
    """Whether native code takes a path; bytes that are not UTF-8 become half characters."""
    try:
        path.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True


def _device(place: Any) -> torch.device:
    return torch.device(place) if isinstance(place, (str, torch.device)) else torch.device('cpu')


def _load_instead(*args: Any, **kwargs: Any) -> Any:
    """Stands in for ``torch.load``, whatever it is asked for; threads of others get torch's own."""
    if threading.current_thread() in _bystanders and _replacing.acquire(timeout=LONGEST_WAIT):
        try:
            return torch.load(*args, **kwargs)
        finally:
            _replacing.release()
    return _load(*args, **kwargs)


def _load(f: Any, map_location: Any = None, pickle_module: Any = None, *,
          weights_only: Any = None, mmap: Any = None, **unused: Any) -> Any:
    return read_checkpoint(f, map_location, bool(mmap))


@contextmanager
def weights_only() -> Iterator[None]:
    """Inside, every ``torch.load`` is :func:`read_checkpoint`, and runs no code.

    Libraries call ``torch.load`` with ``weights_only=False``, and mapped, where compressed records
    are read as if they were weights. torch's own switch is set too, for who holds on to the
    original function. Threads that ran before are someone else's: their ``torch.load`` waits until
    this is over, and is torch's own. Those that begin inside may be the library's, and read as it.
    """
    global _bystanders
    with _replacing:
        before = {name: os.environ.pop(name, None) for name in (WEIGHTS_ONLY, NOT_WEIGHTS_ONLY)}
        os.environ[WEIGHTS_ONLY] = '1'
        original, bystanders = torch.load, _bystanders
        if original is not _load_instead:
            _bystanders = frozenset(threading.enumerate()) - {threading.current_thread()}
        torch.load = _load_instead
        try:
            yield
        finally:
            torch.load, _bystanders = original, bystanders
            del os.environ[WEIGHTS_ONLY]
            os.environ.update({name: value for name, value in before.items() if value is not None})


def guarded(load: Callable) -> Callable:
    """Wrap ``CheckpointLoader.load_checkpoint`` so that no file it reads can run code.

    Args:
        load: The loader, ``load(cls, filename, map_location, logger)``.

    Returns:
        The same, reading with :func:`read_checkpoint` whichever way it opens the file.
    """

    @wraps(load)
    def load_checkpoint(cls: type, filename: str, *args: Any, **kwargs: Any) -> Any:
        with weights_only():
            try:
                checkpoint = load(cls, filename, *args, **kwargs)
            except CheckpointError as error:
                raise CheckpointError(filename, error.reason) from error
        return with_source(check_parts(checkpoint, filename), filename)

    return load_checkpoint


def naming(load: Callable, deed: str) -> Callable:
    """Wrap a method of MMEngine's Runner so that what it says of a checkpoint names the file.

    Args:
        load: The method, ``load(runner, filename, ...)``.
        deed: What it does with the file, in words.

    Returns:
        The same.
    """

    @wraps(load)
    def load_named(runner: Any, filename: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return load(runner, filename, *args, **kwargs)
        except MISFITS as error:
            if isinstance(error, ValueError) and str(filename) in str(error):
                raise
            kind = '' if isinstance(error, ValueError) else f'{type(error).__name__}: '
            raise ValueError(f'{filename} cannot be {deed}: {kind}{first_line(error)}') from error

    return load_named


def check_parts(checkpoint: Any, filename: str | Path) -> Any:
    """Refuse a checkpoint whose parts are of other kinds than mmengine takes them for.

    Its Runner asks ``'config' in meta`` and runs what it finds as Python. A config there is
    dropped: only files older than mmengine have one, its own runs keep theirs, unused, under
    another name.

    Args:
        checkpoint: What a file holds.
        filename: The file.

    Returns:
        The same without a config.

    Raises:
        CheckpointError: A part is of another kind.
    """
    if not isinstance(checkpoint, dict):
        raise CheckpointError(str(filename), f'a {type(checkpoint).__name__}, not weights by name')
    if 'meta' in checkpoint:
        meta = checkpoint['meta']
        if not isinstance(meta, dict):
            raise CheckpointError(str(filename), f'its meta is a {type(meta).__name__}, not a dict')
        meta.pop('config', None)
        for name in ('epoch', 'iter'):
            if type(meta.get(name, 0)) is not int or not 0 <= meta.get(name, 0) < 2**53:
                raise CheckpointError(str(filename), f'{name} of its meta is no count')
    for name in checkpoint:
        check_name(name, 'it', filename)
    for part in WEIGHTS:
        check_weights(checkpoint.get(part, {}), part, filename)
    return checkpoint


def check_weights(state: Any, part: str, filename: str | Path) -> None:
    """Refuse weights that are no tensors by name.

    Raises:
        CheckpointError: Naming the first.
    """
    if not isinstance(state, dict):
        raise CheckpointError(str(filename), f'its {part} is a {type(state).__name__}, not a dict')
    for name, value in state.items():
        check_name(name, f'its {part}', filename)
        if not isinstance(value, torch.Tensor) and not name.endswith('_extra_state'):
            raise CheckpointError(str(filename), f'{in_line(name)} in its {part} is a '
                                                 f'{type(value).__name__}, not a weight')


def check_name(name: Any, part: str, filename: str | Path) -> None:
    """Refuse a name that is none, since whoever reports on a weight prints its name.

    Raises:
        CheckpointError: It is no text, holds what would leave its line, or goes on for pages.
    """
    if type(name) is not str:
        raise CheckpointError(str(filename), f'a name in {part} is a {type(name).__name__}')
    if not name.isprintable() or len(name) > LONGEST_NAME:
        raise CheckpointError(str(filename), f'{in_line(name, 40)!r} in {part} is no name')


def refusal(filename: str, reason: str) -> str:
    """Say in one line why a file is not loaded.

    Args:
        filename: The file.
        reason: What is wrong with it.

    Returns:
        The line.
    """
    if CODE.match(reason):
        found = reason.replace('GLOBAL builtins.', 'GLOBAL ')
        return f'{filename} holds code ({found}), refused: {REMEDY}'
    return f'{filename} cannot be read as a checkpoint ({reason}): is it one, and whole?'


def first_line(error: Exception) -> str:
    """What an error says first, in one line without control characters."""
    lines = str(error).strip().splitlines()
    return in_line(lines[0] if lines else type(error).__name__, 500)


def in_line(text: str, longest: int = 200) -> str:
    """A text from a file, for a message: cut, and without what would leave the line."""
    return ''.join(c if c.isprintable() else '?' for c in text[:longest])
