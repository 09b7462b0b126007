"""Where the time of a step goes, by part and by operator, and whether it waits for the GPU."""
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile, record_function

from .steps import Step

PREFIX = 'part: '
STEPS = 2
RANGES = ('loss', 'encode')  # what lies in these and in no part of the model


def _part_range(name: str) -> record_function:
    """The context that marks a part in a profile."""
    return record_function(PREFIX + name)


@contextmanager
def marked_parts(model: torch.nn.Module) -> Iterator[None]:
    """Mark trunk, branch, text and heads in a profile, for as long as the context lasts."""
    trunk, handles = model.trunk, []
    parts = [('branch', model.backbone.branch), ('text', model.text)]
    for name, module in parts + [('heads', head) for head in model.heads]:
        handles += mark(name, module)
    hidden_states = trunk.hidden_states

    def marked_states(*args: Any, **kwargs: Any) -> Any:
        with _part_range('trunk'):
            return hidden_states(*args, **kwargs)

    trunk.hidden_states = marked_states
    try:
        yield
    finally:
        del trunk.hidden_states
        for handle in handles:
            handle.remove()


def mark(name: str, module: torch.nn.Module) -> list:
    """Hooks that mark a module's forward; their handles."""
    opened: list[record_function] = []

    def enter(*_: object) -> None:
        opened.append(_part_range(name).__enter__())

    def leave(*_: object) -> None:
        opened.pop().__exit__(None, None, None)

    return [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]


def profile_step(step: Step, folder: str, name: str, top: int = 15) -> dict:
    """Profile two steps, not compiled, and write a trace for Chrome or perfetto.dev.

    Args:
        step: Warmed up.
        folder: Where the trace goes.
        name: Its name, without an ending.
        top: How many operators are listed.

    Returns:
        ``trace``, the file; ``parts``, seconds a step by part; ``operators``, rows of name, part,
        calls and seconds a step, the slowest first; ``listed``, the share that these rows cover.
        Seconds are the GPU's own on CUDA.
    """
    cuda = step.settings.device == 'cuda'
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if cuda else [])
    with marked_parts(step.model), profile(activities=activities) as recorded:
        for _ in range(STEPS):
            step(_part_range)
        if cuda:
            torch.cuda.synchronize()
    Path(folder).mkdir(parents=True, exist_ok=True)
    trace = Path(folder) / f'{name}.trace.json'
    recorded.export_chrome_trace(str(trace))
    return dict(trace=str(trace), **summary(recorded.events(), cuda, top))


def summary(events: list, cuda: bool, top: int) -> dict:
    """Seconds a step by part, and by operator and part."""
    found: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.])
    for event in events:
        if event.device_type != DeviceType.CPU:
            continue
        own = event.self_device_time_total if cuda else event.self_cpu_time_total
        operator = 'Python and gaps' if event.name.startswith(PREFIX) else event.name
        row = found[part_of(event), operator]
        row[0] += 1 / STEPS
        row[1] += own / 1e6 / STEPS
    parts: dict[str, float] = defaultdict(float)
    for (part, _), (_, seconds) in found.items():
        parts[part] += seconds
    total = sum(parts.values())
    slowest = sorted(found.items(), key=lambda item: -item[1][1])[:top]
    operators = [dict(operator=operator, part=part, calls=calls, seconds=seconds)
                 for (part, operator), (calls, seconds) in slowest]
    listed = sum(seconds for _, (_, seconds) in slowest)
    return dict(
        parts=dict(sorted(parts.items(), key=lambda item: -item[1])), operators=operators,
        listed=listed / total if total else 0.)


def part_of(event: Any) -> str:
    """The part in which an operator ran: the innermost range around it.

    On CUDA the gradient is computed in a thread of its own, which no range reaches.
    """
    while event is not None:
        if event.name.startswith(PREFIX):
            name = event.name[len(PREFIX):]
            return 'other' if name in RANGES else name
        if event.name.startswith('autograd::engine'):
            return 'backward'
        event = event.cpu_parent
    return 'other'


def host_syncs(step: Step) -> dict[str, str]:
    """Whether preprocessing, and the step after it, make the host wait for the GPU.

    Args:
        step: Warmed up, not compiled.

    Returns:
        For ``preprocess`` and ``step``: ``'no'``, the line that waits first, or ``'not
        applicable'`` on a CPU.
    """
    if step.settings.device != 'cuda':
        return dict(preprocess='not applicable', step='not applicable')
    inputs = step.preprocess()
    return dict(
        preprocess=_first_sync(step.preprocess),
        step=_first_sync(lambda: step.on_device(inputs, nullcontext)))


def _first_sync(work: Callable[[], object]) -> str:
    """The line of ``work`` that makes the host wait first, or ``'no'``."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode('error')
    try:
        work()
    except RuntimeError as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if '/torch/' not in frame.filename]
        frame = (own or list(frames))[-1]
        place = '/'.join(Path(frame.filename).parts[-3:])
        return f'{place}:{frame.lineno} {frame.line} ({str(error).splitlines()[0]})'
    finally:
        torch.cuda.set_sync_debug_mode('default')
    return 'no'
