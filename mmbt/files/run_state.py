"""What a resumed run takes from its checkpoint beside weights: optimizer, schedules, file names.

torch's fused kernels believe that an optimizer's moments are as large as its weights, and read and
write beyond them where they are not; MMEngine's schedules take any attribute from the file, and its
checkpoint hook deletes the file that the last checkpoint calls the best. Here each is compared with
what the run built from its own config.
"""
import os
from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Real
from typing import Any

import torch
from torch import Tensor

FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD, torch.optim.Adagrad)
NEEDED = {torch.optim.Adam: ('step', 'exp_avg', 'exp_avg_sq'), torch.optim.Adagrad: ('step', 'sum'),
          torch.optim.AdamW: ('step', 'exp_avg', 'exp_avg_sq')}
MOMENTS = ('exp_avg', 'exp_avg_sq', 'max_exp_avg_sq', 'momentum_buffer', 'sum')


def checking_optimizer(load: Callable) -> Callable:
    """Wrap ``load_state_dict`` of MMEngine's optimizer wrappers.

    How a step is computed, such as ``fused``, is the config's; rates and moments are the file's.

    Raises:
        ValueError: A setting or a moment in the file is none of this optimizer's.
    """

    @wraps(load)
    def load_checked(wrapper: Any, state: dict[str, Any]) -> None:
        known = wrapper.optimizer.defaults
        groups = state.get('param_groups') if isinstance(state, dict) else None
        if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
            raise ValueError('its optimizer has no groups of settings')
        state = dict(state, param_groups=[_own_settings(group, known) for group in groups])
        if isinstance(state.get('base_param_settings'), dict):
            state['base_param_settings'] = _own_settings(state['base_param_settings'], known)
        load(wrapper, state)
        if isinstance(wrapper.optimizer, FUSED):
            _settle_moments(wrapper.optimizer)

    return load_checked


def _own_settings(group: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """A group of a file with this optimizer's switches, its numbers being numbers."""
    settings = dict(group)
    for name, ours in known.items():
        if ours is None or isinstance(ours, bool):
            settings[name] = ours
        elif name not in settings:
            raise ValueError(f'a group of its optimizer has no {name}')
    for name, value in settings.items():
        ours = known.get(name.removeprefix('initial_')) if isinstance(name, str) else None
        if ours is not None and not _same_kind(ours, value):
            raise ValueError(f'{name} of its optimizer is a {type(value).__name__}, not like '
                             f'{ours}')
    return settings


def _settle_moments(optimizer: torch.optim.Optimizer) -> None:
    """Lay an optimizer's moments out as its weights are.

    Raises:
        ValueError: If they are of another size, or something else.
    """
    for group in optimizer.param_groups:
        for weight in group['params']:
            state = optimizer.state.get(weight, {})
            lacking = set(NEEDED.get(type(optimizer), ())) - set(state) if state else ()
            if lacking:
                raise ValueError(f"its optimizer has no {' and no '.join(sorted(lacking))}")
            for name, value in state.items():
                shape = weight.shape if name in MOMENTS else ()
                if value is None and name == 'momentum_buffer':
                    continue
                if not isinstance(value, Tensor) or value.shape != shape:
                    told = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
                    raise ValueError(f'{str(name)[:40]!r} of its optimizer is {told}, its weight '
                                     f'{tuple(weight.shape)}')
                if name in MOMENTS and value.stride() != weight.stride():
                    state[name] = torch.empty_like(weight, dtype=value.dtype).copy_(value)


def checking_schedule(load: Callable) -> Callable:
    """Wrap ``load_state_dict`` of MMEngine's schedules, which makes attributes of what it gets.

    Raises:
        ValueError: An attribute in the file is of another kind than the schedule's own.
    """

    @wraps(load)
    def load_checked(schedule: Any, state: Any) -> None:
        if not isinstance(state, dict):
            raise ValueError(f'the state of a schedule is a {type(state).__name__}')
        own = schedule.state_dict()
        for name in own.keys() & state.keys():
            if not _same_kind(own[name], state[name]):
                raise ValueError(f'{name} of {type(schedule).__name__} is a '
                                 f'{type(state[name]).__name__}, not a {type(own[name]).__name__}')
        load(schedule, {name: value for name, value in state.items() if name in own})

    return load_checked


def checking_files(before_train: Callable) -> Callable:
    """Wrap ``CheckpointHook.before_train``: files outside of the run's folder are not its own."""

    @wraps(before_train)
    def before_checked(hook: Any, runner: Any) -> None:
        folder = hook.out_dir or runner.work_dir
        if folder != runner.work_dir:
            folder = os.path.join(folder, os.path.basename(runner.work_dir.rstrip(os.sep)))
        keep_own_files(runner.message_hub.runtime_info, folder)
        before_train(hook, runner)

    return before_checked


def keep_own_files(info: dict[str, Any], folder: str) -> None:
    """Let the best checkpoint lie in the run's folder, so that no other file is deleted for it.

    Args:
        info: MMEngine's ``runtime_info``, changed in place.
        folder: Where the run's checkpoints lie.
    """
    kinds = dict(best_ckpt=str, best_score=Real, keep_ckpt_ids=list)
    for name in [name for name in info if isinstance(name, str)]:
        kind = next((kind for start, kind in kinds.items() if name.startswith(start)), None)
        if kind is None or info[name] is None:
            continue
        if not isinstance(info[name], kind):
            del info[name]
        elif kind is str:
            file = os.path.basename(info[name])
            if file.startswith('best_') and file.endswith('.pth'):
                info[name] = os.path.join(folder, file)
            else:
                del info[name]
        elif kind is list and any(type(each) is not int for each in info[name]):
            del info[name]


def _same_kind(ours: Any, theirs: Any) -> bool:
    """Whether a value can take the place of another: a number of a number, a text of a text."""
    if callable(ours) or callable(theirs):
        return callable(ours) and callable(theirs)
    if ours is None or isinstance(ours, bool):
        return ours is None or isinstance(theirs, bool)
    if isinstance(ours, Real):
        return isinstance(theirs, Real) and not isinstance(theirs, bool)
    if isinstance(ours, (list, tuple)):
        return isinstance(theirs, (list, tuple)) and (not ours or all(
            _same_kind(ours[0], each) for each in theirs))
    if isinstance(ours, dict):
        return isinstance(theirs, dict)
    return isinstance(theirs, type(ours))
