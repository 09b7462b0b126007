"""The moments that a search found, as a picture."""
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import frames_shown, times_of
from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable
from mmbt.reading import VideoReadError

from .query import Hit
from .windows import clock

LINE = 90  # characters
MOST = 50  # rows of a picture


class _OfMoment:
    """Samples the first, middle and last frame of a moment; of a whole video where it has no end.

    The last is the one that is shown just before its end.
    """

    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``."""
        times, seconds = times_of(results)
        end = self.end if self.end > self.start else seconds
        at = np.array([self.start, (self.start + end) / 2, end - 2e-3])
        inds = frames_shown(times, at) + np.int32(results['start_index'])
        results.update(frame_inds=inds, clip_len=3, num_clips=1, frame_interval=None)
        return results


def read_three(video: str, start: float = 0., end: float = 0.) -> Sequence[np.ndarray]:
    """The first, middle and last frame of a moment, each (H, W, 3) RGB uint8.

    Args:
        video: The file.
        start: Of the moment, in seconds.
        end: The same; the whole video where the moment has no length.

    Raises:
        VideoReadError: If it cannot be read.
    """
    reader = ReadFrames(3, test_mode=True)
    reader.sample = _OfMoment(start, end)
    return reader.transform(dict(filename=video))['imgs']


def draw_sheet(hits: Sequence[Hit], title: str, path: str | Path,
               name: Callable[[str], str] = str) -> None:
    """Draw a row a moment: its first, middle and last frame below rank, score, path and times.

    Args:
        hits: Moments, best first; the first 50 are drawn.
        title: What was searched for.
        path: The picture, whose suffix says the format; ``.png`` where it has none.
        name: How a path is shown. Defaults to as it is.

    Raises:
        ValueError: If the format is unknown.
    """
    hits = hits[:MOST]
    figure = Figure(figsize=(9, 0.6 + 2.4 * len(hits)), layout='constrained')
    figure.suptitle(shorten(title), parse_math=False)
    rows: Any = figure.subfigures(len(hits), squeeze=False)[:, 0] if hits else []
    for rank, (row, hit) in enumerate(zip(rows, hits), start=1):
        when = f'  {clock(hit.start)} to {clock(hit.end)}' if hit.end > hit.start else ''
        row.suptitle(f'{rank}.  {hit.score:.3f}  {shorten(name(hit.path))}{when}', fontsize=9,
                     x=0.01, ha='left', parse_math=False)
        _draw_row(row, hit)
    with whole_file(path) as draft:
        figure.savefig(draft, dpi=100, format=Path(path).suffix[1:] or 'png')


def _draw_row(row: Figure, hit: Hit) -> None:
    try:
        frames = read_three(hit.path, hit.start, hit.end)
    except VideoReadError:
        row.text(0.5, 0.4, 'cannot be read any more', ha='center')
        return
    for axes, frame in zip(row.subplots(1, 3), frames):
        axes.imshow(frame)
        axes.axis('off')


def shorten(text: str) -> str:
    """A text that can be drawn and fits a line; of a longer one, its end."""
    text = printable(text)
    return text if len(text) <= LINE else '...' + text[3 - LINE:]
