"""A picture of an ablation: every seed's number, and the means."""
import io
from typing import TYPE_CHECKING, List, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from mmbt.ablation.summary import Result
    from mmbt.ablation.tables import Table

COLORS = ('#1f6fb2', '#e07a2f', '#5b9c63', '#8661a8')
INK, FAINT = '#22303c', '#8a96a1'
SECONDS = 'seconds of training'


def ablation_picture(table: 'Table', results: Sequence['Result'], columns: List[str]) -> bytes:
    """Draw a panel for each of our columns as a PNG: bars of a table, curves of a figure.

    Args:
        table: The table.
        results: Its rows.
        columns: Our columns.
    """
    panels = [*columns, SECONDS] if table.axis else columns
    height = 3.4 if table.axis else 1.3 + 0.42 * len(results)
    figure = Figure(figsize=(3.0 * len(panels) + (0 if table.axis else 1.2), height),
                    facecolor='white', layout='constrained')
    figure.suptitle(table.title, x=0.01, ha='left', fontsize=11, color=INK)
    draw = draw_curves if table.axis else draw_bars
    for place, (name, axes) in enumerate(zip(panels, np.atleast_1d(figure.subplots(
            1, len(panels), sharey=False)))):
        axes.set_title(name, fontsize=10, color=INK, loc='left')
        axes.tick_params(labelsize=8, colors=INK)
        for side in ('top', 'right'):
            axes.spines[side].set_visible(False)
        draw(axes, results, name, place == 0)
        if table.axis:
            axes.set_xlabel(table.axis, fontsize=9, color=FAINT)
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=110)
    return data.getvalue()


def draw_bars(axes: Axes, results: Sequence['Result'], name: str, first: bool) -> None:
    """A bar for each row's mean, a dot for each seed."""
    places = range(len(results))
    for place, each in zip(places, results):
        values = each.values[name]
        if not len(values):
            axes.text(0.02, place, 'not run', va='center', fontsize=8, color=FAINT,
                      transform=axes.get_yaxis_transform())
            continue
        axes.barh(place, values.mean(), 0.62, color='#c9dcec')
        axes.plot(values, np.full(len(values), place), 'o', color=COLORS[0], markersize=4)
        axes.text(0.02, place, f'{values.mean():.1f}', va='center', fontsize=8, color=INK,
                  transform=axes.get_yaxis_transform())
    axes.set(yticks=places, ylim=(len(results) - 0.5, -0.5))
    axes.set_yticklabels([each.row.label for each in results] if first else [])
    axes.set_xlim(0, None)
    axes.grid(axis='x', color='#e8ecef')
    axes.set_axisbelow(True)


def draw_curves(axes: Axes, results: Sequence['Result'], name: str, first: bool) -> None:
    """A curve through the means of each series, a dot for each seed."""
    series = dict.fromkeys(each.row.series for each in results)
    for color, title in zip(COLORS, series):
        points = [(each.row.x, each.seconds if name == SECONDS else each.values[name])
                  for each in results if each.row.series == title]
        points = [(x, values) for x, values in points if len(values)]
        axes.plot([x for x, _ in points], [values.mean() for _, values in points], color=color,
                  label=title)
        for x, values in points:
            axes.plot(np.full(len(values), x), values, 'o', color=color, markersize=3.5)
    if first and len(series) > 1:
        axes.legend(fontsize=8, frameon=False)
    if name == SECONDS:
        axes.set_ylim(0, None)
    axes.grid(color='#e8ecef')
