"""Pictures of a demo's numbers: bars, curves, and clips that were retrieved."""
import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ..world.scenes import MOTIONS, parse_caption
from .filmstrips import Filmstrips
from .retrievals import Retrievals
from .scores import HEADLINES, MODELS

COLORS = {'bt_adapter': '#1f6fb2', 'frame_mean': '#b9ad9b'}
VERDICTS = {'right': ('#2b9348', '✓'), 'tied': ('#e09f1f', '='), 'wrong': ('#d1495b', '✗')}
"""Colour and mark of a retrieved clip; see :meth:`Retrievals.verdict`."""

INK, FAINT = '#22303c', '#8a96a1'
SHOWN_CLIPS = 3

_WIDTH, _HEIGHT = 1200, 470  # of the main picture, in pixels
_LOSS_COLORS = ('#1f6fb2', '#e07a2f', '#5b9c63', '#8661a8', '#a0795c')


def headline_chart(metrics: dict, videos: int) -> bytes:
    """Draw the headline numbers of both models as a PNG.

    Args:
        metrics: Model to flat metrics.
        videos: Number of test videos.
    """
    figure = _figure(10.5, 3.6)
    _headline_bars(figure.add_axes((0.05, 0.13, 0.94, 0.78)), metrics, videos)
    return _png(figure, dpi=150)


def motion_chart(accuracy: dict, chance: float) -> bytes:
    """Draw the percentage of each motion's queries that found it, as a PNG.

    Args:
        accuracy: Model to (12,) percentages.
        chance: What guessing scores.
    """
    figure = _figure(10.5, 4.6)
    axes = figure.add_axes((0.245, 0.06, 0.735, 0.85))
    rows = np.arange(len(MOTIONS))
    for offset, (model, name) in zip((-0.19, 0.19), MODELS.items()):
        axes.barh(rows + offset, accuracy[model], 0.36, color=COLORS[model], label=name)
        for row, value in zip(rows, accuracy[model]):
            if np.isfinite(value):
                axes.text(value + 0.8, row + offset, f'{value:.0f}', va='center', fontsize=8,
                          color=INK)
    axes.axvline(chance, color=INK, linestyle=(0, (3, 2)), linewidth=1, label='chance')
    axes.set(yticks=rows, yticklabels=MOTIONS, xlim=(0, 108), ylim=(len(MOTIONS) - 0.5, -0.5),
             xticks=range(0, 101, 20))
    axes.grid(axis='x', color='#e8ecef')
    _legend(axes)
    return _png(figure, dpi=150)


def loss_chart(curves: dict) -> bytes:
    """Draw loss curves side by side as a PNG.

    Args:
        curves: Title of a training to ``{loss name: (steps, values)}``, the main loss first.
    """
    figure = _figure(10.5, 3.2)
    for column, (title, losses) in enumerate(curves.items()):
        axes = figure.add_axes((0.05 + 0.5 * column, 0.15, 0.44, 0.73))
        for index, (name, (steps, values)) in enumerate(losses.items()):
            color = _LOSS_COLORS[index % len(_LOSS_COLORS)]
            axes.plot(steps, values, color=color, linewidth=1.1 if index else 1.6, label=name)
        axes.set_title(title, fontsize=10.5, color=INK, loc='left')
        axes.set_xlabel('training step', fontsize=9, color=FAINT)
        axes.set_ylim(bottom=0)
        axes.grid(color='#e8ecef')
        axes.legend(frameon=False, fontsize=8.5, labelcolor=INK)
    return _png(figure, dpi=150)


def main_picture(metrics: dict, retrievals: dict[str, Retrievals], strips: Filmstrips, query: int,
                 note: str) -> bytes:
    """Draw the headline numbers beside one query's retrieved clips, a PNG 1200 pixels wide.

    Args:
        metrics: Model to flat metrics.
        retrievals: Model to what it retrieved.
        strips: Where the clips come from.
        query: The query to show.
        note: What kind of query it is.
    """
    figure = _figure(_WIDTH / 100, _HEIGHT / 100)
    _headline_bars(figure.add_axes((0.035, 0.105, 0.455, 0.755)), metrics,
                   len(retrievals['bt_adapter'].videos))
    figure.text(0.012, 0.945, 'Zero-shot test, percent', fontsize=12.5, weight='bold', color=INK)
    sheet = figure.add_axes((0.51, 0, 0.49, 1))
    sheet.set(xlim=(0, 588), ylim=(_HEIGHT, 0))
    sheet.axis('off')
    caption = retrievals['bt_adapter'].captions[query]
    sheet.text(0, 26, f'“{caption}”', fontsize=12.5, weight='bold', color=INK, va='center')
    sheet.text(0, 48, note, fontsize=9, color=FAINT, va='center')
    for top, (model, name) in zip((66, 270), MODELS.items()):
        sheet.text(0, top + 10, f'{name} retrieves', fontsize=10.5, color=INK, va='center')
        sheet.text(400, top + 10, 'time →', fontsize=9, color=FAINT, va='center', ha='right')
        for rank, video in enumerate(retrievals[model].top[query][:SHOWN_CLIPS]):
            _draw_clip(sheet, retrievals[model], strips, query, int(video), top + 24 + 58 * rank)
    return _png(figure, dpi=100)


def _draw_clip(sheet: Axes, retrievals: Retrievals, strips: Filmstrips, query: int, video: int,
               top: int) -> None:
    """Draw one retrieved clip with its motion and whether it is the right one."""
    picture = strips.strip(retrievals.videos[video])
    height = 48
    width = round(height * picture.shape[1] / picture.shape[0])
    color, mark = VERDICTS[retrievals.verdict(query, video)]
    scene, motion = parse_caption(retrievals.captions[retrievals.query_of(video)])
    sheet.imshow(picture, extent=(3, 3 + width, top + height, top), aspect='auto', zorder=1)
    sheet.add_patch(Rectangle((1.5, top - 1.5), width + 3, height + 3, fill=False,
                              edgecolor=color, linewidth=2.2))
    assert motion is not None, 'a clip moves'
    words = motion.replace(' to the ', '\nto the ')
    words += f'\n{scene.color} {scene.shape}, {scene.background}'
    sheet.text(width + 14, top + height / 2, mark, fontsize=15, color=color, va='center')
    sheet.text(width + 34, top + height / 2, words, fontsize=9, color=INK, va='center')
    sheet.set(xlim=(0, 588), ylim=(_HEIGHT, 0))


def _headline_bars(axes: Axes, metrics: dict, videos: int) -> None:
    columns = np.arange(len(HEADLINES))
    for offset, (model, name) in zip((-0.2, 0.2), MODELS.items()):
        values = [score.shown(metrics[model]) for score in HEADLINES]
        axes.bar(columns + offset, values, 0.37, color=COLORS[model], label=name)
        for bar, value in enumerate(values):
            label = axes.text(bar + offset, value + 1.5, f'{value:.1f}', ha='center',
                              fontsize=9.5, color=INK, zorder=3)
            label.set_path_effects([withStroke(linewidth=3, foreground='white')])
    for column, score in enumerate(HEADLINES):
        chance = score.chance(videos, len(MOTIONS))
        axes.plot((column - 0.44, column + 0.44), (chance, chance), color=INK, linewidth=1.2,
                  linestyle=(0, (3, 2)), label=None if column else 'chance')
    labels = [score.label.replace(', ', '\n') for score in HEADLINES]
    axes.set(xticks=columns, xticklabels=labels, ylim=(0, 109), yticks=range(0, 101, 25))
    axes.grid(axis='y', color='#e8ecef')
    _legend(axes)


def _legend(axes: Axes) -> None:
    """Put a legend in one row above the axes, the chance line last."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda place: labels[place] == 'chance')
    axes.legend([handles[place] for place in order], [labels[place] for place in order],
                loc='lower left', bbox_to_anchor=(-0.01, 0.99), ncol=len(labels), frameon=False,
                fontsize=9.5, labelcolor=INK, handlelength=1.3, columnspacing=1.4)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), facecolor='white')


def _png(figure: Figure, dpi: int) -> bytes:
    """Encode a figure, with the look that all charts share."""
    for axes in figure.axes:
        axes.set_axisbelow(True)
        axes.spines[['top', 'right', 'left']].set_visible(False)
        axes.spines['bottom'].set_color(FAINT)
        axes.tick_params(length=0, labelcolor=INK, labelsize=9.5)
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=dpi)
    return buffer.getvalue()
