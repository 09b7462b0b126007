"""What the picture and the film of an explanation share: colours, overlays, lines, words."""
from pathlib import Path
from textwrap import shorten, wrap
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from mmbt.files.shown import printable

from ..windows import clock
from .attribution import TOLERANCE
from .explanation import Evidence, Explanation

INK, FAINT, RULE = '#1d2a35', '#5f6b76', '#dfe4e8'
FOR, AGAINST = (230, 97, 0), (93, 58, 155)  # orange and purple, told apart by everyone
LINES = {'branch': ('#0b5fa5', '-', 'o'), 'trunk': ('#7a6a53', (0, (4, 2)), 's')}
NAMES = 0.42  # inches
SMALL, NORMAL, LARGE = 8.5, 10, 11.5  # points, of a picture 5.2 inches wide: a phone's


def parts_of(explanation: Explanation) -> dict[str, tuple[str, Evidence]]:
    """``branch`` and ``trunk`` -> a name for people and the evidence, of those that there are."""
    found = dict(trunk=('CLIP alone', explanation.trunk))
    if explanation.branch is None:
        return found
    name = 'branch' if explanation.gates is not None else explanation.model
    return dict(branch=(name, explanation.branch), **found)


def scale_of(explanation: Explanation) -> float:
    """What the strongest colour stands for: the largest part of either model's patches."""
    largest = max(np.abs(evidence.patches).max() for _, evidence in parts_of(explanation).values())
    return float(largest) or 1.


def overlay(picture: np.ndarray, patches: np.ndarray, scale: float) -> np.ndarray:
    """A frame in grey with its patches' evidence: orange speaks for the text, purple against it.

    Args:
        picture: (H, W, 3) uint8.
        patches: (down, across) what each adds.
        scale: What the strongest colour stands for.

    Returns:
        (H, W, 3) uint8.
    """
    height, width = picture.shape[:2]
    rows = np.arange(height) * patches.shape[0] // height
    columns = np.arange(width) * patches.shape[1] // width
    value = np.clip(patches[np.ix_(rows, columns)] / scale, -1, 1)[..., None]
    grey = 90 + 0.5 * picture.astype(np.float64) @ (0.299, 0.587, 0.114)
    color = np.where(value > 0, FOR, AGAINST)
    strength = 0.95 * np.abs(value)
    return np.round((1 - strength) * grey[..., None] + strength * color).astype(np.uint8)


def draw_lines(axes: Axes, explanation: Explanation, size: float = SMALL) -> None:
    """What each frame adds, a line for each model, all named above the axes, clear of any line.

    Args:
        axes: Where; :data:`NAMES` of inches above them are for the names.
        explanation: Of what.
        size: Of letters, in points.
    """
    axes.axhline(0, color=FAINT, linewidth=0.8, zorder=1)
    parts = parts_of(explanation)
    for row, (key, (name, evidence)) in enumerate(reversed(parts.items())):
        color, style, mark = LINES[key]
        look: dict[str, Any] = dict(color=color, linestyle=style, marker=mark,
                                    markersize=size / 2, linewidth=1.8)
        axes.plot(explanation.times, evidence.frames, zorder=3, **look)
        axes.annotate(
            f'{name}: cosine {signed(evidence.score)}, of a grey clip {signed(evidence.grey)}',
            (0.105, 1), xytext=(0, 6 + 1.4 * size * row), textcoords='offset points',
            xycoords='axes fraction', color=color, fontsize=size, weight='bold')
        above = axes.transAxes + ScaledTranslation(
            0, (6 + 1.4 * size * row + 0.36 * size) / 72, axes.figure.dpi_scale_trans)
        axes.plot([0, 0.085], [1, 1], transform=above, clip_on=False, **look)
    axes.set_xlabel('seconds' if explanation.timed else 'frame', fontsize=size, color=FAINT,
                    labelpad=1)
    plain(axes, size)


def signed(value: float) -> str:
    """A number of two digits, with a minus that is one."""
    return f'{value:.2f}'.replace('-', '−')


def plain(axes: Axes, size: float = SMALL) -> None:
    """Axes without what is not needed."""
    axes.spines[['top', 'right']].set_visible(False)
    axes.spines[['left', 'bottom']].set_color(FAINT)
    axes.tick_params(labelsize=size, labelcolor=INK, color=FAINT, length=3)
    axes.locator_params(axis='y', nbins=4)


def title_of(explanation: Explanation, width: int) -> str:
    """The text, in at most three lines of ``width`` characters."""
    lines = wrap(f'“{printable(explanation.text)}”', width) or ['']
    if len(lines) > 3:
        lines = [*lines[:2], shorten(' '.join(lines[2:]), width, placeholder=' …”')]
    return '\n'.join(lines)


def where_of(explanation: Explanation, width: int) -> str:
    """The file and the moment, in a line."""
    name = printable(Path(explanation.path).name)
    when = f'   {exact_clock(explanation.start)} to {exact_clock(explanation.end)}'
    when = when if explanation.timed and explanation.end > explanation.start else ''
    room = max(width - len(when), 8)
    return (name if len(name) <= room else '…' + name[1 - room:]) + when


def exact_clock(seconds: float) -> str:
    """``0:07.5``: a clock with a tenth of a second where it is not whole."""
    tenths = round(seconds * 10)
    return clock(tenths / 10 + 1e-6) + (f'.{tenths % 10}' if tenths % 10 else '')


def told(explanation: Explanation) -> list[str]:
    """Scores and the frames that add most, a line for each model, for a terminal."""
    lines = [where_of(explanation, 90)]
    for name, evidence in parts_of(explanation).values():
        best = int(np.argmax(evidence.frames))
        at = float(explanation.times[best])
        when = exact_clock(at) if explanation.timed else f'frame {int(at)}'
        lines.append(f'{name}: cosine {evidence.score:.4f}, of a grey clip {evidence.grey:.4f}; '
                     f'{when} adds most, {evidence.frames[best]:+.4f}')
        if abs(evidence.error or 0) > TOLERANCE:
            lines.append(f'{name}: its patches miss their sum by {evidence.error:+.4f}: read the '
                         'picture with that in mind, or take --method occlusion')
    return lines
