"""A picture of an ablation: every seed's number, and the means."""
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from .summary import Result
    from .tables import Table

COLORS = ('#1f6fb2', '#e07a2f', '#5b9c63', '#8661a8')
INK, FAINT, PALE = '#22303c', '#8a96a1', '#dfe4e8'
SECONDS = 'seconds of training'
ACROSS = 3  # panels side by side


def ablation_picture(table: 'Table', results: Sequence['Result'], columns: list[str]) -> bytes:
    """Draw a panel for each of our columns as a PNG: bars of a table, curves of a figure.

    Args:
        table: The table.
        results: Its rows.
        columns: Our columns.
    """
    panels = [*columns, SECONDS] if table.axis else columns
    across = min(len(panels), ACROSS)
    lines = -(-len(panels) // ACROSS)
    width = 3.0 * across + (0 if table.axis else 1.2)
    height = 0.4 + lines * (2.6 if table.axis else 0.6 + 0.3 * len(results))
    figure = Figure(figsize=(width, height), facecolor='white', layout='constrained')
    figure.suptitle(table.title, x=0.01, ha='left', fontsize=11, color=INK)
    draw = draw_curves if table.axis else draw_bars
    grid = figure.subplots(lines, across, squeeze=False).flatten()
    for axes in grid[len(panels):]:
        axes.remove()
    for place, (name, axes) in enumerate(zip(panels, grid)):
        axes.set_title(name, fontsize=10, color=INK, loc='left')
        axes.tick_params(labelsize=8, colors=INK)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
        draw(axes, results, name, place % ACROSS == 0)
        if table.axis and place + ACROSS >= len(panels):  # below it is none
            axes.set_xlabel(table.axis, fontsize=9, color=FAINT)
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=110)
    return data.getvalue()


def draw_bars(axes: Axes, results: Sequence['Result'], name: str, first: bool) -> None:
    """A bar for each row's mean, a dot for each seed, and the mean in figures at the right.

    Old rows are hatched.
    """
    top = max((each.values[name].max() for each in results if len(each.values[name])), default=0)
    places = range(len(results))
    for place, each in zip(places, results):
        values = each.values[name]
        if not len(values):
            axes.text(0.99, place, 'not run', ha='right', va='center', fontsize=8, color=FAINT,
                      transform=axes.get_yaxis_transform())
            continue
        axes.barh(place, values.mean(), 0.62, color=PALE if each.old else '#c9dcec',
                  hatch='///' if each.old else None, edgecolor='white')
        axes.plot(values, np.full(len(values), place), 'o', markersize=4,
                  color=FAINT if each.old else COLORS[0])
        axes.text(0.99, place, f'{values.mean():.1f}', ha='right', va='center', fontsize=8,
                  color=INK, transform=axes.get_yaxis_transform())
    axes.set(yticks=places, ylim=(len(results) - 0.5, -0.5))
    axes.set_yticklabels([each.label for each in results] if first else [])
    axes.set_xlim(0, 1.25 * top or 1)
    axes.grid(axis='x', color='#e8ecef')
    axes.set_axisbelow(True)


def draw_curves(axes: Axes, results: Sequence['Result'], name: str, first: bool) -> None:
    """A curve through the means of each series, a dot for each seed, a word where none was run.

    Old rows have a dashed curve of their own, with hollow dots.
    """
    series = dict.fromkeys(each.row.series for each in results)
    for color, title in zip(COLORS, series):
        for old in (False, True):
            points = [(each.row.x, each.seconds if name == SECONDS else each.values[name])
                      for each in results if (each.row.series, each.old) == (title, old)]
            points = [(x, values) for x, values in points if len(values)]
            if not points:
                continue
            label = f'{title} (old)'.strip() if old else title or 'now'
            axes.plot([x for x, _ in points], [values.mean() for _, values in points], color=color,
                      linestyle='--' if old else '-', label=label)
            for x, values in points:
                axes.plot(np.full(len(values), x), values, 'o', color=color, markersize=3.5,
                          markerfacecolor='white' if old else color)
    for x in {each.row.x for each in results if not each.seeds and each.row.x is not None}:
        axes.text(x, 0.03, 'not run', rotation=90, ha='center', va='bottom', fontsize=8,
                  color=FAINT, transform=axes.get_xaxis_transform())
    places = sorted({each.row.x for each in results if each.row.x is not None})
    margin = 0.06 * (places[-1] - places[0]) or 1
    axes.set(xticks=places, xlim=(places[0] - margin, places[-1] + margin))
    axes.set_xticklabels([f'{x:g}' for x in places])
    if first and (len(series) > 1 or any(each.old for each in results)):
        axes.legend(fontsize=8, frameon=False)
    if name == SECONDS:
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    axes.grid(color='#e8ecef')
