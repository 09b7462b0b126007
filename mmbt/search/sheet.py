"""The videos that a search found, as a picture."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import FirstMiddleLast
from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable
from mmbt.reading import VideoReadError

LINE = 90  # characters
MOST = 50  # rows of a picture


def read_three(video: str) -> Sequence[np.ndarray]:
    """A video's first, middle and last frame, each (H, W, 3) RGB uint8.

    Raises:
        VideoReadError: If it cannot be read.
    """
    reader = ReadFrames(3, test_mode=True)
    reader.sample = FirstMiddleLast()
    return reader.transform(dict(filename=video))['imgs']


def draw_sheet(hits: Sequence[tuple[str, float]], title: str, path: str | Path) -> None:
    """Draw a row a video, of its first, middle and last frame below its rank, cosine and path.

    Args:
        hits: (path, cosine), best first; the first 50 are drawn.
        title: What was searched for.
        path: The picture, whose suffix says the format; ``.png`` where it has none.

    Raises:
        ValueError: If the format is unknown.
    """
    hits = hits[:MOST]
    figure = Figure(figsize=(9, 0.6 + 2.4 * len(hits)), layout='constrained')
    figure.suptitle(shorten(title), parse_math=False)
    rows: Any = figure.subfigures(len(hits), squeeze=False)[:, 0] if hits else []
    for rank, (row, (video, cosine)) in enumerate(zip(rows, hits), start=1):
        row.suptitle(f'{rank}.  {cosine:.3f}  {shorten(video)}', fontsize=9, x=0.01, ha='left',
                     parse_math=False)
        _draw_row(row, video)
    with whole_file(path) as draft:
        figure.savefig(draft, dpi=100, format=Path(path).suffix[1:] or 'png')


def _draw_row(row: Figure, video: str) -> None:
    try:
        frames = read_three(video)
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
