"""A picture of judged conversation: bars of our runs, marks of the paper's numbers."""
import io
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLORS = ('#1f6fb2', '#e07a2f', '#5b9c63', '#8661a8')
MARKS = ('|', 'd', 'x', '+')
INK, FAINT = '#22303c', '#8a96a1'
HIGHEST = 5


def scores_picture(labels: Sequence[str], ours: Mapping[str, Sequence[float | None]],
                   paper: Mapping[str, Sequence[float]]) -> bytes:
    """Draw scores from 0 to 5 as a PNG.

    Args:
        labels: Names of the metrics.
        ours: Run -> a number for each metric, None where it was not run.
        paper: Method -> a number for each metric.
    """
    lines = len(labels) * max(len(ours), 1)
    figure = Figure(figsize=(7.2, 1.5 + 0.26 * lines + 0.12 * len(labels)), facecolor='white',
                    layout='constrained')
    axes = figure.subplots()
    height = 0.8 / max(len(ours), 1)
    for place, (name, values) in enumerate(ours.items()):
        offset = (place - (len(ours) - 1) / 2) * height
        _draw_run(axes, f'ours: {name}', [row + offset for row in range(len(labels))], values,
                  0.9 * height, COLORS[place % len(COLORS)])
    for mark, (name, values) in zip(MARKS, paper.items()):
        axes.plot(values, range(len(labels)), mark, color=INK, markersize=9, markeredgewidth=1.6,
                  fillstyle='none', label=f'paper: {name}')
    axes.set(yticks=range(len(labels)), yticklabels=labels, ylim=(len(labels) - 0.5, -0.5),
             xlim=(0, HIGHEST), xticks=range(HIGHEST + 1))
    axes.set_xlabel('mean of int(score), 0 to 5', fontsize=9, color=FAINT)
    axes.grid(axis='x', color='#e8ecef')
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    axes.spines[['top', 'right', 'left']].set_visible(False)
    axes.spines['bottom'].set_color(FAINT)
    handles, names = axes.get_legend_handles_labels()
    order = sorted(range(len(names)), key=lambda place: names[place].startswith('paper'))
    figure.legend([handles[place] for place in order], [names[place] for place in order],
                  loc='outside upper left', ncols=2, frameon=False, fontsize=8.5, labelcolor=INK)
    data = io.BytesIO()
    figure.savefig(data, format='png', dpi=110)
    return data.getvalue()


def _draw_run(axes: Axes, name: str, places: Sequence[float], values: Sequence[float | None],
              height: float, color: str) -> None:
    """The bars of a run, each with its number; a word where it was not run."""
    axes.barh(places, [value or 0 for value in values], height, color=color, alpha=0.45,
              label=name)
    for place, value in zip(places, values):
        text = 'not run' if value is None else f'{value:.2f}'
        axes.text(HIGHEST + 0.06, place, text, va='center', fontsize=8,
                  color=FAINT if value is None else INK)
