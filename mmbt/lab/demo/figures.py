"""Pictures of a demo's numbers: bars, curves, and clips that were retrieved."""
import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..world.scenes import MOTIONS, parse_caption
from .filmstrips import Filmstrips
from .retrievals import Retrievals
from .scores import HEADLINES, MODELS, apart

COLORS = {'bt_adapter': '#1f6fb2', 'frame_mean': '#b9ad9b'}
VERDICTS = {'right': ('#2b9348', '✓'), 'tied': ('#e09f1f', '='), 'wrong': ('#d1495b', '✗')}
"""Colour and mark of a retrieved clip; see :meth:`Retrievals.verdict`."""

INK, FAINT = '#22303c', '#8a96a1'
SHOWN_CLIPS = 3

_WIDTH, _HEIGHT = 1200, 470  # of the main picture, in pixels


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
    """Bars with their numbers above them, and above the line of chance where that is near."""
    columns = np.arange(len(HEADLINES))
    for column, score in enumerate(HEADLINES):
        chance = score.chance(videos, len(MOTIONS))
        values = [score.shown(metrics[model]) for model in MODELS]
        for (model, name), offset, value, text in zip(MODELS.items(), (-0.2, 0.2), values,
                                                      apart(values, 1)):
            axes.bar(column + offset, value, 0.37, color=COLORS[model],
                     label=None if column else name)
            at = chance if value - 1 < chance < value + 8 else value
            axes.text(column + offset, max(at, value) + 1.5, text, ha='center', fontsize=9.5,
                      color=INK)
        axes.plot((column - 0.44, column + 0.44), (chance, chance), color=INK, linewidth=1.2,
                  linestyle=(0, (3, 2)), label=None if column else 'chance')
    labels = [score.label.replace(', ', '\n') for score in HEADLINES]
    axes.set(xticks=columns, xticklabels=labels, ylim=(0, 112), yticks=range(0, 101, 25))
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
