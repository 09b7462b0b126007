"""Read checkpoint files without running what they hold.

A pickle may call any function. ``torch.load(weights_only=True)`` calls only listed ones; the list
here adds what mmengine's own training runs store beside tensors, and nothing that can be abused.
"""
import os
import pickle
import re
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, Callable, Iterator

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.utils import digit_version

from .whole_zip import damage_of

WEIGHTS_ONLY = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
NOT_WEIGHTS_ONLY = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'

# Older torch loads weights safely too, but cannot be told what else a run's own file may hold.
RESUMES = digit_version(torch.__version__) >= digit_version('2.6.0')

# Raised by torch and pickle for files that are cut short or no checkpoints at all.
UNREADABLE = (RuntimeError, EOFError, LookupError, AttributeError, TypeError, ValueError)

# How the unpicklers of torch 2.6 and later, of older torch, and of this file name what they refuse.
CODE = re.compile(r'GLOBAL (getattr of )?\S+|class \S+|reduce for unrecognized function')


class OneCycleScheduler:
    """Stands for mmengine's OneCycleParamScheduler in a file: a name, which builds nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> 'OneCycleScheduler':
        raise pickle.UnpicklingError('GLOBAL OneCycleParamScheduler may be named, not built')


def stored_attribute(owner: Any, name: str) -> Any:
    """What ``getattr`` may fetch for a checkpoint: mmengine's own plain functions, by name.

    mmengine stores functions that live in a class: the statistics of a log history, and the
    annealing of a one-cycle schedule. Pickle writes them as ``getattr(owner, name)``.

    Args:
        owner (Any): ``HistoryBuffer`` or :class:`OneCycleScheduler`.
        name (str): The function's name.

    Returns:
        Any: The function.

    Raises:
        pickle.UnpicklingError: The file asks for anything else.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(HistoryBuffer, name)
    if owner is OneCycleScheduler and name in ('_annealing_cos', '_annealing_linear'):
        from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
        return getattr(OneCycleParamScheduler, name)
    raise pickle.UnpicklingError(f'GLOBAL getattr of {getattr(owner, "__name__", owner)}.{name}')


def allowed_names() -> dict[str, Any]:
    """The names that a checkpoint may hold beyond torch's own, with what each one resolves to."""
    scheduler = 'mmengine.optim.scheduler.param_scheduler.OneCycleParamScheduler'
    allowed = {
        'builtins.getattr': stored_attribute,
        'mmengine.logging.history_buffer.HistoryBuffer': HistoryBuffer,
        scheduler: OneCycleScheduler,
        'mmengine.config.config.ConfigDict': dict,
        'numpy.ndarray': np.ndarray,
        'numpy.dtype': np.dtype,
    }
    multiarray = np._core.multiarray if hasattr(np, '_core') else np.core.multiarray
    for package in ('numpy.core', 'numpy._core'):  # files travel between numpy 1 and 2
        for name in ('_reconstruct', 'scalar'):
            allowed[f'{package}.multiarray.{name}'] = getattr(multiarray, name)
    for code in np.typecodes['AllInteger'] + np.typecodes['Float'] + '?':
        kind = type(np.dtype(code))
        allowed[f'{kind.__module__}.{kind.__qualname__}'] = kind
    return allowed


def guarded(load: Callable) -> Callable:
    """Wrap ``CheckpointLoader.load_checkpoint`` so that no file it reads can run code.

    Args:
        load (Callable): The loader, ``load(cls, filename, map_location, logger)``.

    Returns:
        Callable: The same, reading with ``weights_only=True`` whichever way it opens the file.
    """

    @wraps(load)
    def load_checkpoint(cls: type, filename: str, *args: Any, **kwargs: Any) -> Any:
        why = damage_of(filename) if os.path.isfile(filename) else None
        if why is not None:  # torch compares no checksums
            raise ValueError(f'{filename} cannot be read as a checkpoint ({why}): is it '
                             'one, and whole?')
        with weights_only():
            try:
                return without_script(load(cls, filename, *args, **kwargs))
            except pickle.UnpicklingError as error:
                raise ValueError(refusal(filename, str(error))) from error
            except UNREADABLE as error:
                first_line = (str(error).splitlines() or [''])[0]
                raise ValueError(f'{filename} cannot be read as a checkpoint '
                                 f'({first_line}): is it one, and whole?') from error

    return load_checkpoint


def without_script(checkpoint: Any) -> Any:
    """Drop the config that mmengine's Runner would run as Python when it resumes.

    Only files older than mmengine have one; its own runs keep theirs, unused, under another name.
    """
    meta = checkpoint.get('meta') if isinstance(checkpoint, dict) else None
    if isinstance(meta, dict):
        meta.pop('config', None)
    return checkpoint


@contextmanager
def weights_only() -> Iterator[None]:
    """Inside, every ``torch.load`` is ``weights_only`` and knows :func:`allowed_names`.

    A log history in a file cannot change what ``mean`` and the like mean for others. torch's switch
    is an environment variable: it also reaches ``torch.hub``, through which mmengine fetches URLs
    with ``weights_only=False``.
    """
    before = {name: os.environ.pop(name, None) for name in (WEIGHTS_ONLY, NOT_WEIGHTS_ONLY)}
    os.environ[WEIGHTS_ONLY] = '1'
    statistics = dict(HistoryBuffer()._statistics_methods)  # the first buffer made fills them in
    try:
        with _safe_globals():
            yield
    finally:
        HistoryBuffer._statistics_methods.clear()
        HistoryBuffer._statistics_methods.update(statistics)
        del os.environ[WEIGHTS_ONLY]
        os.environ.update({name: value for name, value in before.items() if value is not None})


def _safe_globals() -> Any:
    """torch's context for :func:`allowed_names`; torch<2.6 has none that takes names."""
    if not RESUMES:
        return nullcontext()
    named = [(item, name) for name, item in allowed_names().items()]
    return torch.serialization.safe_globals(named)


def refusal(filename: str, reason: str) -> str:
    """Say in one line why a file is not loaded.

    Args:
        filename (str): The file.
        reason (str): What torch's unpickler said.

    Returns:
        str: The line.
    """
    found = CODE.search(reason)
    if not found:
        detail = reason.split('WeightsUnpickler error: ')[-1].strip().split('\n')[0]
        return f'{filename} cannot be read as a checkpoint ({detail}): is it one, and whole?'
    if RESUMES:
        remedy = ("only tensors, plain values, numpy arrays and mmengine's own records are loaded; "
                  'ask its author for a file of weights alone')
    else:
        remedy = f'torch {torch.__version__} loads weights alone; resuming a run needs torch>=2.6'
    return f'{filename} holds code ({found.group(0)}), refused: {remedy}'
