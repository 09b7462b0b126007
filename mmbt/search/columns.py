"""What is read of the rows of windows: whose and when they are, and vectors; refused if damaged."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from .lance_table import shown

if TYPE_CHECKING:
    import pyarrow

COLUMNS = ('embedding', 'baseline', 'time')
LONGEST_TIME = 1e9  # seconds


class Times(NamedTuple):
    """Rows of windows: whose they are, and when; (N,) each."""

    video: np.ndarray  # int64
    start: np.ndarray  # float64, seconds
    end: np.ndarray


def columns_of(column: str) -> list[str]:
    """What is read for a column of :data:`COLUMNS`: video, start, end, then the vectors."""
    vectors = ['embedding', 'baseline'] if column == 'time' else [column]
    return ['video', 'start', 'end', *vectors]


def vectors_of(rows: pyarrow.Table, column: str, width: int, index: Path) -> np.ndarray:
    """(N, E) float32 of some rows, zeros where there is none.

    Raises:
        ValueError: If they are not finite.
    """
    names = ('embedding', 'baseline') if column == 'time' else (column, )
    found = []
    for name in names:
        values = rows[name].combine_chunks()
        empty = values.null_count
        flat = (values.fill_null([0.] * width) if empty else values).flatten().to_numpy()
        if flat.size != len(values) * width:
            raise ValueError(f'index {shown(index)} is damaged: vectors of another length; make it '
                             'anew')
        vectors = torch.from_numpy(flat.reshape(-1, width).copy()).float().numpy()
        if not np.isfinite(vectors).all():
            raise ValueError(f'index {shown(index)} is damaged: it holds vectors that are not of '
                             'finite numbers; make it anew')
        found.append(vectors)
    return found[0] if len(found) == 1 else found[0] - found[1]


def times_of(rows: pyarrow.Table, index: Path) -> Times:
    """Whose and when some rows are.

    Raises:
        ValueError: If that cannot be.
    """
    if any(rows[name].null_count for name in Times._fields):
        raise ValueError(f'index {shown(index)} is damaged: a window has no time; make it anew')
    times = Times(*(rows[name].to_numpy() for name in Times._fields))
    good = (times.start >= 0) & (times.start <= times.end) & (times.end < LONGEST_TIME)
    if not good.all():
        raise ValueError(f'index {shown(index)} is damaged: a window has times that cannot be; '
                         'make it anew')
    return times
