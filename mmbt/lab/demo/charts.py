"""Charts of the demo's page: HTML and SVG, which follow its width and its colours."""
import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ..world.scenes import MOTIONS
from .scores import HEADLINES, MODELS, apart

_WIDE, _HIGH = 460, 240  # of a chart of losses, in its own units
_LEFT, _TOP, _BOTTOM = 34, 8, 40
_DASHES = ('', '7 3', '2 3', '9 3 2 3', '4 4')


def headline_bars(metrics: dict, videos: int) -> str:
    """The headline numbers of both models, in percent.

    Args:
        metrics: Model to flat metrics.
        videos: Number of test videos.
    """
    return _bars([(score.label, [score.shown(metrics[model]) for model in MODELS],
                   score.chance(videos, len(MOTIONS))) for score in HEADLINES], 1)


def motion_bars(accuracy: Mapping[str, Sequence[float]], chance: float) -> str:
    """The percentage of each motion's queries that found it.

    Args:
        accuracy: Model to (12,) percentages, NaN for a motion without queries.
        chance: What guessing scores.
    """
    return _bars([(motion, [accuracy[model][row] for model in MODELS], chance)
                  for row, motion in enumerate(MOTIONS)], 0)


def _bars(rows: Sequence[tuple[str, Sequence[float], float]], digits: int) -> str:
    """A bar for each model and row, its number in a column of its own; chance is a notch."""
    legend = ''.join(f'<span><i class="bar {model}"></i>{name}</span>'
                     for model, name in MODELS.items())
    parts = [f'<div class="legend">{legend}<span><i class="notch"></i>chance</span></div>']
    for label, values, chance in rows:
        shown = [value for value in values if np.isfinite(value)]
        texts = iter(apart(shown, digits) if shown else [])
        tracks = ''.join(_track(model, value, chance, next(texts) if np.isfinite(value) else '')
                         for model, value in zip(MODELS, values))
        parts.append(f'<div class="bars"><div class="name">{escape(label)}</div>'
                     f'<div>{tracks}</div></div>')
    return '\n'.join(parts)


def _track(model: str, value: float, chance: float, text: str) -> str:
    width = value if np.isfinite(value) else 0
    bar = f'<i class="bar {model}" style="width:{width:.2f}%"></i>'
    notch = f'<i class="notch" style="left:{chance:.2f}%"></i>'
    return f'<div class="track"><div class="way">{bar}{notch}</div><b>{text}</b></div>'


def loss_charts(curves: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]]) -> str:
    """Loss curves, a chart for each training.

    Args:
        curves: Title of a training to ``{loss name: (steps, values)}``, the main loss first.
    """
    charts = ''.join(f'<figure class="plain"><figcaption><b>{escape(title)}</b></figcaption>'
                     f'{_legend(losses)}{_loss_svg(losses)}</figure>'
                     for title, losses in curves.items())
    return f'<div class="models">{charts}</div>'


def _legend(losses: Mapping[str, object]) -> str:
    names = ''.join(
        f'<span><svg width="26" height="8" aria-hidden="true"><line x1="0" y1="4" x2="26" y2="4" '
        f'class="line{place}" stroke-dasharray="{_DASHES[place % len(_DASHES)]}"/></svg> '
        f'{escape(name)}</span>' for place, name in enumerate(losses))
    return f'<div class="legend">{names}</div>'


def _loss_svg(losses: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    most = max(max(values) for _, values in losses.values()) or 1.
    last = max(max(steps) for steps, _ in losses.values()) or 1
    right, low = _WIDE - 14, _HIGH - _BOTTOM

    def x(step: float) -> float:
        return _LEFT + (right - _LEFT) * step / last

    def y(value: float) -> float:
        return low - (low - _TOP) * max(value, 0) / most

    marks = [f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
             f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
             for tick in _ticks(most)]
    marks += [f'<text x="{x(tick):.1f}" y="{low + 17}" text-anchor="middle">{tick:g}</text>'
              for tick in _ticks(last)]
    marks.append(f'<text x="{(_LEFT + right) / 2}" y="{_HIGH - 6}" text-anchor="middle">training '
                 'step</text>')
    for place, (steps, values) in enumerate(losses.values()):
        points = ' '.join(f'{x(step):.1f},{y(value):.1f}' for step, value in zip(steps, values))
        marks.append(f'<polyline class="line{place}" points="{points}" '
                     f'stroke-dasharray="{_DASHES[place % len(_DASHES)]}"/>')
    return (f'<svg class="chart" viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="losses">'
            + ''.join(marks) + '</svg>')


def _ticks(most: float) -> list[float]:
    """Round numbers from 0 to ``most``, three to six of them."""
    size = 10 ** math.floor(math.log10(most))
    step = next(size * part for part in (0.2, 0.25, 0.5, 1, 2) if most / (size * part) < 6)
    return [step * place for place in range(int(most / step + 1e-9) + 1)]
