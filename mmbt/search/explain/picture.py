"""An explanation as a picture that can be read on a phone."""
import io
import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from ..windows import clock
from .drawing import (
    AGAINST,
    FAINT,
    INK,
    LARGE,
    LINES,
    NAMES,
    NORMAL,
    RULE,
    SMALL,
    draw_lines,
    exact_clock,
    overlay,
    parts_of,
    plain,
    scale_of,
    title_of,
    where_of,
)
from .explanation import Explanation

WIDTH, DPI = 5.2, 200  # inches; 1040 pixels
MARGIN, LABELS = 0.12, 0.62  # inches: at the sides, and left of charts
ACROSS, MOST = 6, 12  # frames in a row, and altogether


class _Page:
    """A figure that is filled from the top; heights are told in inches."""

    def __init__(self, height: float) -> None:
        self.figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor='white')
        self.height, self.top = height, 0.1

    def text(self, text: str, size: float, color: str = INK, x: float = MARGIN,
             **look: Any) -> None:
        """Lines of text, below what is there."""
        self.figure.text(x / WIDTH, 1 - self.top / self.height, text, fontsize=size, color=color,
                         va='top', parse_math=False, linespacing=1.25, **look)
        self.top += (text.count('\n') + 1) * size * 1.32 / 72 + 0.03

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes at ``x`` from the left and ``y`` below what is there."""
        return self.figure.add_axes((x / WIDTH, 1 - (self.top + y + height) / self.height,
                                     width / WIDTH, height / self.height))


def draw_explanation(explanation: Explanation) -> bytes:
    """Draw an explanation as a PNG 1040 pixels wide.

    Below text and moment come what each frame adds to the cosines, a line for each model; the
    frames, with what their patches add below each; the gates; and, where the moment was looked
    for, the cosine over the whole video.
    """
    chosen = frames_shown(len(explanation.times))
    page = _Page(_room(explanation, len(chosen)))
    page.text(title_of(explanation, 52), LARGE, weight='bold')
    page.text(where_of(explanation, 60), SMALL, FAINT)
    _chart(page, explanation)
    _frames(page, explanation, chosen)
    if explanation.gates is not None:
        _gates(page, explanation.gates)
    if explanation.windows is not None and len(explanation.windows) > 1:
        _windows(page, explanation)
    data = io.BytesIO()
    used = Bbox([[0, page.height - page.top - 0.06], [WIDTH, page.height]])
    page.figure.savefig(data, format='png', dpi=DPI, bbox_inches=used)
    return data.getvalue()


def frames_shown(frames: int) -> list[int]:
    """At most 12 frames, evenly spaced."""
    return sorted(set(np.linspace(0, frames - 1, min(frames, MOST)).round().astype(int).tolist()))


def _across(frames: int) -> int:
    return math.ceil(frames / math.ceil(frames / ACROSS))


def _side(explanation: Explanation, frames: int) -> tuple[float, float]:
    """Width and height of a frame, in inches."""
    height, width = explanation.pictures.shape[1:3]
    across = min((WIDTH - 2 * MARGIN + 0.05) / _across(frames) - 0.05, 1.2)
    return across, across * height / width


def _room(explanation: Explanation, frames: int) -> float:
    """Inches that are enough for everything."""
    rows, parts = math.ceil(frames / _across(frames)), len(parts_of(explanation))
    gates = 0 if explanation.gates is None else len(explanation.gates)
    return 7 + rows * (parts + 1) * (_side(explanation, frames)[1] + 0.5) + 0.24 * gates


def _chart(page: _Page, explanation: Explanation) -> None:
    page.top += 0.08
    by = ('what each frame adds to the cosine' if explanation.method == 'gradients' else
          'what the cosine loses where a frame is grey')
    page.text(by, NORMAL, weight='bold')
    page.top += NAMES if explanation.branch is not None else NAMES / 2
    draw_lines(page.axes(LABELS, 0, WIDTH - LABELS - MARGIN, 1.2), explanation)
    page.top += 1.2 + 0.42


def _frames(page: _Page, explanation: Explanation, chosen: list[int]) -> None:
    scale, across = scale_of(explanation), _across(len(chosen))
    width, height = _side(explanation, len(chosen))
    _key(page, scale, len(chosen), len(explanation.times))
    for first in range(0, len(chosen), across):
        row = chosen[first:first + across]
        _row(page, [explanation.pictures[i] for i in row], width, height,
             [exact_clock(float(explanation.times[i])) if explanation.timed else
              str(int(explanation.times[i])) for i in row])
        for key, (name, evidence) in parts_of(explanation).items():
            page.text(name, SMALL, LINES[key][0], weight='bold')
            _row(page, [overlay(explanation.pictures[i], evidence.patches[i], scale) for i in row],
                 width, height)
        page.top += 0.1


def _row(page: _Page, pictures: list[np.ndarray], width: float, height: float,
         above: list[str] | None = None) -> None:
    if above:
        page.top += 0.16
    for place, picture in enumerate(pictures):
        axes = page.axes(MARGIN + place * (width + 0.05), 0, width, height)
        axes.imshow(picture, aspect='auto', interpolation='nearest' if picture.shape[0] < 100
                    else 'antialiased')
        axes.axis('off')
        if above:
            axes.set_title(above[place], fontsize=SMALL, color=FAINT, pad=2)
    page.top += height + 0.04


def _key(page: _Page, scale: float, shown: int, frames: int) -> None:
    some = f'{shown} of {frames} frames, and ' if shown < frames else ''
    page.text(f'{some}what their patches add', NORMAL, weight='bold')
    ramp = np.linspace(-1, 1, 61)[None]
    axes = page.axes(MARGIN + 1.15, 0.02, 1.3, 0.11)
    axes.imshow(overlay(np.full((4, 61, 3), 150, np.uint8), ramp, 1.), aspect='auto')
    axes.axis('off')
    digits = max(2, 1 - math.floor(math.log10(scale)))
    page.figure.text((MARGIN + 1.08) / WIDTH, 1 - (page.top + 0.075) / page.height,
                     f'against −{scale:.{digits}f}', ha='right', va='center', fontsize=SMALL,
                     color=[part / 255 for part in AGAINST])
    page.figure.text((MARGIN + 2.52) / WIDTH, 1 - (page.top + 0.075) / page.height,
                     f'+{scale:.{digits}f} for the text', va='center', fontsize=SMALL,
                     color='#b34b00')
    page.top += 0.24


def _gates(page: _Page, gates: np.ndarray) -> None:
    """The branch's share of what each gate lets through: mean and middle 80% of channels."""
    page.text("gates: the branch's share, by layer", NORMAL, weight='bold')
    tall = 0.24 * len(gates)
    axes = page.axes(1.05, 0.02, WIDTH - 1.05 - 0.75, tall)
    names = [f'into layer {i + 2}' for i in range(len(gates) - 1)] + ['output']
    for row, shares in enumerate(gates):
        low, high = np.percentile(shares, (10, 90))
        axes.barh(row, shares.mean(), 0.56, color=LINES['branch'][0], zorder=2)
        axes.plot((low, high), (row, row), color='white', linewidth=3.2, zorder=3)
        axes.plot((low, high), (row, row), color=INK, linewidth=1.4, zorder=4)
        axes.text(1.02, row, f'{shares.mean():.3f}', fontsize=SMALL, color=INK, va='center')
    axes.set(yticks=range(len(gates)), yticklabels=names, ylim=(len(gates) - 0.5, -0.5),
             xlim=(0, 1), xticks=(0, 0.5, 1))
    axes.axvline(0.5, color=FAINT, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    plain(axes)
    axes.set(yticks=range(len(gates)), xticks=(0, 0.5, 1),
             xticklabels=('0, CLIP alone', '0.5, the start', '1'))
    page.top += tall + 0.36


def _windows(page: _Page, explanation: Explanation) -> None:
    windows, scores = explanation.windows, explanation.window_scores
    assert windows is not None and scores is not None
    page.text('the whole video: cosine of each window', NORMAL, weight='bold')
    axes = page.axes(LABELS, 0, WIDTH - LABELS - MARGIN, 0.85)
    axes.axvspan(explanation.start, explanation.end, color=RULE, zorder=0)
    color = LINES[next(iter(parts_of(explanation)))][0]
    axes.plot(windows.mean(axis=1), scores, color=color, linewidth=1.5, marker='.', markersize=4,
              zorder=3)
    plain(axes)
    ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= windows[-1, 1]]
    axes.set(xticks=ticks, xticklabels=[clock(tick) for tick in ticks])
    page.top += 1.2
