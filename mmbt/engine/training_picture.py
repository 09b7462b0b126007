"""A picture of a training run's log."""
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Title of a panel, what its curves' names begin with, and whether its axis is logarithmic.
PANELS = (
    ('Losses', ('loss', ), False),
    ('Learning rate', ('lr', 'base_lr'), True),
    ("The branch's share at the gates", ('gate/', ), False),
    ('Gradient norm', ('grad_norm', ), True),
    ('Clips a second', ('clips_per_second', ), False),
    ('Share of the time spent waiting for data', ('data_wait', ), False),
)
COLORS = ('#1f6fb2', '#e07a2f', '#5b9c63', '#8661a8', '#a0795c', '#d1495b', '#5c6b73')


def training_picture(curves: dict[str, tuple[Sequence[float], Sequence[int]]]) -> bytes:
    """Draw losses, learning rates, gates, gradient, speed and waiting as a PNG.

    Args:
        curves: Name in MMEngine's log to its values and how many iterations each sums up.
    """
    from matplotlib.figure import Figure  # it takes half a second, and most runs draw nothing
    figure = Figure(figsize=(11, 8.2), facecolor='white')
    figure.subplots_adjust(0.06, 0.06, 0.98, 0.95, 0.14, 0.36)
    steps = max((len(values) for values, _ in curves.values()), default=0)
    for place, (title, beginnings, logarithmic) in enumerate(PANELS):
        axes = figure.add_subplot(3, 2, place + 1)
        chosen = {name: curve for name, curve in curves.items() if name.startswith(beginnings)
                  and name != 'base_lr'}
        _draw_panel(axes, title, chosen, steps, logarithmic)
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=110)
    return data.getvalue()


def _draw_panel(axes: 'Axes', title: str, curves: dict[str, tuple[Sequence[float], Sequence[int]]],
                steps: int, logarithmic: bool) -> None:
    """Draw one panel over all steps; what was logged less often has points further apart."""
    axes.set_title(title, fontsize=10, loc='left')
    axes.tick_params(labelsize=8)
    axes.grid(color='#e8ecef')
    axes.set_xlim(0, max(steps, 1))
    for color, (name, (values, counts)) in zip(COLORS * 3, sorted(curves.items())):
        averages = np.asarray(values, float) / np.maximum(np.asarray(counts, float), 1)
        places = np.linspace(steps / max(len(averages), 1), steps, len(averages))
        if len(averages) > 200:
            axes.plot(places, averages, color=color, linewidth=1, alpha=0.35)
            averages = _smooth(averages)
        axes.plot(places, averages, color=color, linewidth=1.4, label=name.split('/')[-1])
    if logarithmic and curves and all(np.min(v) > 0 for v, _ in curves.values()):
        axes.set_yscale('log')
    if len(curves) > 1:
        axes.legend(fontsize=8, frameon=False, ncols=2)
    if not curves:
        axes.text(0.5, 0.5, 'not logged', ha='center', va='center', fontsize=9, color='#8a96a1',
                  transform=axes.transAxes)


def _smooth(values: np.ndarray) -> np.ndarray:
    """The mean of each value's neighbourhood, a fiftieth of the run wide."""
    width = max(len(values) // 50, 1)
    weights: list[float] = np.ones(width).tolist()
    return np.convolve(values, weights, 'same') / np.convolve(np.ones_like(values), weights, 'same')
