"""Validate a resumed run: whether it is trained as the checkpoint was.

MMEngine loads the state of optimizer and schedules over the config's: a rate that was asked for on
resuming would have no effect, and nothing would say so. What decides a training is therefore kept
in each checkpoint, and compared.
"""
import functools
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ALLOWED = 'allow_resume_changes'
NAMED = 3  # differences in the message
LONGEST = 60  # characters of a value in it

# Parts of a config that decide what is learnt. The seed, the number of processes and averaging
# hooks are added; all else (tests, hooks, logs, folders) passes.
PARTS = ('model', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'train_dataloader',
         'data_preprocessor')

# Keys that change how fast or where something is done, not what.
HARMLESS = frozenset((
    'num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'timeout',
    'multiprocessing_context', 'worker_init_fn', 'cache', 'num_threads', 'io_backend',
    'data_root', 'data_prefix', 'serialize_data', 'lazy_init', 'max_refetch',
    'val_interval', 'val_begin', 'dynamic_intervals', 'fused', 'foreach', 'device', 'deadline'))


def training_settings(cfg: Mapping, seed: int, world_size: int) -> dict[str, str]:
    """What decides a training, as flat keys and short texts.

    Annotation files count by their content, other files and folders by their last name, so that a
    project may be moved.

    Args:
        cfg: The run's config.
        seed: The run's seed, drawn or given.
        world_size: Processes that share a batch.

    Returns:
        Such as ``{'optim_wrapper.optimizer.lr': '2e-06', ...}``, values as JSON.
    """
    chosen: dict[str, Any] = {part: cfg[part] for part in PARTS if cfg.get(part)}
    hooks = [hook for hook in cfg.get('custom_hooks') or () if 'EMA' in str(hook.get('type'))]
    if hooks:
        chosen['averaging'] = hooks
    scaling = cfg.get('auto_scale_lr') or {}
    if scaling.get('enable'):
        chosen['auto_scale_lr.base_batch_size'] = scaling.get('base_batch_size')
    settings = {key: as_text(value) for key, value in flatten(chosen)}
    return {**settings, 'randomness.seed': str(seed), 'world_size': str(world_size)}


def flatten(value: Any, key: str = '', root: str = '') -> Iterator[tuple[str, Any]]:
    """The leaves of nested dicts and lists, with their keys joined by dots."""
    if isinstance(value, Mapping) and value:
        root = value.get('data_root') or root
        for name in value:
            if name in HARMLESS:
                continue
            inside = f'{key}.{name}' if key else str(name)
            if name == 'ann_file':
                yield inside, contents(value[name], root)
            else:
                yield from flatten(value[name], inside, root)
    elif isinstance(value, (list, tuple)) and any(
            isinstance(each, (Mapping, list, tuple)) for each in value):
        for place, each in enumerate(value):
            yield from flatten(each, f'{key}.{place}', root)
    else:
        yield key, value


def contents(files: Any, root: str) -> Any:
    """What annotation files hold, by name and digest; by name alone where they are no files."""
    if isinstance(files, (list, tuple)):
        return [contents(each, root) for each in files]
    path = Path(root or '', str(files))
    if not path.is_file():
        return _as_name(str(files))
    status = path.stat()
    return f'{path.name} ({digest(str(path), status.st_size, status.st_mtime_ns)})'


@functools.lru_cache(maxsize=64)
def digest(path: str, size: int, changed: int) -> str:
    """The beginning of a file's sha256; 0.4 s for 100 MB. Size and time tell its versions."""
    total = hashlib.sha256()
    with open(path, 'rb') as file:
        for block in iter(lambda: file.read(2**20), b''):
            total.update(block)
    return total.hexdigest()[:16]


def as_text(value: Any) -> str:
    """A leaf as JSON, long ones shortened to a digest; paths by their last name."""
    text = json.dumps(_as_name(value), sort_keys=True, default=describe)
    if len(text) <= 2 * LONGEST:
        return text
    return f'{text[:LONGEST]}... ({hashlib.sha256(text.encode()).hexdigest()[:16]})'


def _as_name(value: Any) -> Any:
    """The last name of what is a path, alone or in a list; anything else as it is."""
    if isinstance(value, (list, tuple)):
        return [_as_name(each) for each in value]
    if isinstance(value, (str, os.PathLike)) and os.sep in os.fspath(value):
        return os.path.basename(os.path.normpath(os.fspath(value)))
    return value


def describe(value: Any) -> str:
    """An object of a config that JSON does not know, by its name."""
    return getattr(value, '__qualname__', type(value).__name__)


def differences(before: Mapping[str, str], now: Mapping[str, str],
                allowed: bool | str | Sequence[str] = ()) -> list[str]:
    """The keys that differ and are not allowed to, in the order of the config.

    Args:
        before: Settings of the checkpoint.
        now: Settings of the run.
        allowed: Keys that may differ, each with all below it; True for all of them.
    """
    if allowed is True:
        return []
    beginnings = [allowed] if isinstance(allowed, str) else list(allowed or ())
    return [key for key in {**now, **before} if before.get(key) != now.get(key)
            and not any(key == each or key.startswith(f'{each}.') for each in beginnings)]


def say(before: Mapping[str, str], now: Mapping[str, str], keys: Sequence[str]) -> str:
    """The first few differences in words."""
    told = [f'{key} {shorten(before, key)} there, {shorten(now, key)} here'
            for key in keys[:NAMED]]
    more = [f'{len(keys) - NAMED} more'] if len(keys) > NAMED else []
    return '; '.join(told + more)


def shorten(settings: Mapping[str, str], key: str) -> str:
    """A value for the message."""
    value = str(settings.get(key, 'not set'))
    return value if len(value) <= LONGEST else f'{value[:LONGEST]}...'


def check_resume(before: Any, now: Mapping[str, str], allowed: bool | str | Sequence[str],
                 name: str) -> list[str]:
    """Refuse to go on with other settings than a checkpoint was made with.

    Args:
        before: What the checkpoint holds of :func:`training_settings`.
        now: The run's own.
        allowed: The config's ``allow_resume_changes``.
        name: The checkpoint, for the message.

    Returns:
        The keys that differ and are allowed to.

    Raises:
        ValueError: If others differ; it names the first few, and what to do.
    """
    if not isinstance(before, dict):
        raise ValueError(f'{name} has no readable record of its settings')
    keys = differences(before, now, allowed)
    if keys:
        parts = keys if len(keys) <= NAMED else list(
            dict.fromkeys(key.split('.')[0] for key in keys))
        raise ValueError(
            f'{name} was trained with other settings ({say(before, now, keys)}): resume with those '
            'it was made with, begin anew from its weights (load_from, without --resume), or '
            f'let them change: --cfg-options {ALLOWED}={",".join(parts)}')
    return differences(before, now)

