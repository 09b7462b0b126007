"""The machine's limit: its best rate of matrix products, measured beside what is timed."""
import time
from collections.abc import Callable

import torch

from .flops import Sizes, product

SQUARE = {'cpu': 2048, 'cuda': 8192}
MAX_ROWS = {'cpu': 4096, 'cuda': 65536}  # more only take longer
REPEATS = {'cpu': 8, 'cuda': 10}


class Limit:
    """The best rate of matrix products in one precision.

    The shapes are the trunk's own, ``(B T (1 + N), D) x (D, 3D)``, ``x (D, H)``, ``(.., H) x
    (H, D)``, and a large square one. Probe before, between and after what is timed: the best of
    all probes counts, so that work of others on the machine cannot make a model look fast.

    Args:
        sizes: Of the image-text model.
        rows: Tokens of a step, B T (1 + N); 4,096 are taken at most on a CPU, 65,536 on a GPU.
        dtype: Of the products.
        device: ``'cpu'`` or ``'cuda'``.

    Attributes:
        rates: The best rate of each shape so far, operations a second.
        sustained: The rate of all products of the trunk's own shapes together, as fast as the
            machine was on average while they ran; 0 before the first probe.
    """

    def __init__(self, sizes: Sizes, rows: int, dtype: torch.dtype, device: str) -> None:
        rows, side = min(rows, MAX_ROWS[device]), SQUARE[device]
        width, hidden = sizes.width, sizes.mlp_width
        self.shapes: list[tuple[int, int, int]] = [(rows, width, 3 * width), (rows, width, hidden),
                                                   (rows, hidden, width), (side, side, side)]
        self.dtype, self.device = dtype, device
        self.rates: dict[str, float] = {}
        self.operations = self.seconds = 0.

    @property
    def sustained(self) -> float:
        """The rate of all shapes together while they ran, operations a second; see the class."""
        return self.operations / self.seconds if self.seconds else 0.

    @property
    def rate(self) -> float:
        """The best of all shapes, operations a second."""
        return max(self.rates.values())

    def probe(self) -> None:
        """Measure each shape, and keep what is better than before."""
        for shape in self.shapes:
            self.measure(shape, REPEATS[self.device], warmup=2)

    def sample(self) -> float:
        """The rate at this moment: operations a second of one product of each of the trunk's."""
        operations, seconds = self.operations, self.seconds
        for shape in self.shapes[:-1]:
            self.measure(shape, 1, warmup=1)
        return (self.operations - operations) / (self.seconds - seconds)

    def measure(self, shape: tuple[int, int, int], times: int, warmup: int) -> None:
        """Time products of one shape."""
        rows, inner, columns = shape
        tokens = torch.randn(rows, inner, device=self.device).to(self.dtype)
        weight = torch.randn(columns, inner, device=self.device).to(self.dtype)
        out = torch.empty(rows, columns, device=self.device, dtype=self.dtype)
        seconds = timed(lambda: torch.mm(tokens, weight.T, out=out), times, self.device, warmup)
        name = f'{rows}x{inner}x{columns}'
        rate = product(rows, inner, columns) / min(seconds)
        self.rates[name] = max(rate, self.rates.get(name, 0.))
        if shape in self.shapes[:-1]:
            self.operations += len(seconds) * product(rows, inner, columns)
            self.seconds += sum(seconds)


def timed(work: Callable[[], object],
          times: int,
          device: str,
          warmup: int = 0,
          between: Callable[[], object] | None = None) -> list[float]:
    """Seconds of each run of ``work``.

    On CUDA the GPU's own clock is read between the runs, and they are waited for at the end
    alone: what the host takes to launch a run counts only where the GPU waits for it.

    Args:
        work: What to run.
        times: How often.
        device: ``'cpu'`` or ``'cuda'``.
        warmup: Runs before that are not timed.
        between: Run before the first and after each, and not timed; on a CPU alone.
    """
    for _ in range(warmup):
        work()
    if device == 'cuda':
        torch.cuda.synchronize()
        events = [torch.cuda.Event(enable_timing=True) for _ in range(times + 1)]
        events[0].record()
        for event in events[1:]:
            work()
            event.record()
        torch.cuda.synchronize()
        return [first.elapsed_time(last) / 1e3 for first, last in zip(events, events[1:])]
    seconds = []
    between = between or (lambda: None)
    between()
    for _ in range(times):
        begin = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begin)
        between()
    return seconds
