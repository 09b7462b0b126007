"""The step with its forward compiled, beside the one without."""
import logging
import statistics
import time

import torch

from .limit import timed
from .steps import Step


def compiled_step(step: Step, eager_seconds: float) -> dict:
    """Compile the forward and time the step again; nothing that goes wrong there is an error here.

    Args:
        step: Warmed up. Its ``forward`` is as before afterwards.
        eager_seconds: Its median without compilation.

    Returns:
        ``error`` in one line, or None; where there is none ``seconds`` (the median), ``gain``
        (0.1 for a tenth more clips a second), ``compile_seconds`` (the first step), and
        ``graph_breaks``, how often each reason broke the graph.
    """
    settings = step.settings
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    logging.getLogger('torch._dynamo').setLevel(logging.ERROR)
    try:
        step.forward = torch.compile(step.eager())
        begin = time.perf_counter()
        step()
        if settings.device == 'cuda':
            torch.cuda.synchronize()
        compile_seconds = time.perf_counter() - begin
        seconds = timed(step, settings.steps, settings.device, settings.warmup)
    except Exception as error:  # a compiler that is missing, an operator that it does not know
        return dict(error=one_line(error))
    finally:
        step.forward = step.eager()
    median = statistics.median(seconds)
    breaks = torch._dynamo.utils.counters['graph_break']
    return dict(
        error=None, seconds=median, gain=eager_seconds / median - 1,
        compile_seconds=compile_seconds,
        graph_breaks={one_line(reason): count for reason, count in breaks.items()})


def one_line(error: object, length: int = 200) -> str:
    """What an error says first, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else ''
    if isinstance(error, BaseException):
        text = f'{type(error).__name__}: {text}'
    return text if len(text) <= length else text[:length - 3] + '...'
