"""Where the windows of a video lie in an index's table, so that none are looked through for it."""
from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from .lance_table import LanceTable, lance_errors


class _Runs(NamedTuple):
    """Rows of one file that follow one another and are of one video, sorted by their videos."""

    video: np.ndarray  # (R,) int64
    address: np.ndarray  # (R,) uint64, by which Lance finds the first of them
    length: np.ndarray  # (R,) int64


class VideoPlaces:
    """The rows of each video of a table.

    A file of Lance's never changes but for rows that are deleted, so that each is read once: a
    number a window. What is kept is a few numbers a video.

    Args:
        table: With a column video.
    """

    def __init__(self, table: LanceTable) -> None:
        self.table = table
        self._runs: dict[tuple[str, int], _Runs] = {}

    def of(self, video: int) -> np.ndarray:
        """The addresses of a video's rows, (W,) uint64."""
        found: list[np.ndarray] = [np.zeros(0, np.uint64)]
        for runs in self._files():
            first = np.searchsorted(runs.video, video)
            last = np.searchsorted(runs.video, video, side='right')
            found += [address + np.arange(length, dtype=np.uint64) for address, length in
                      zip(runs.address[first:last], runs.length[first:last])]
        return np.concatenate(found)

    def _files(self) -> list[_Runs]:
        keys = {}
        for fragment in self.table.fragments():
            with lance_errors(self.table.index):
                keys[Path(fragment.data_files()[0].path).stem, fragment.fragment_id] = fragment
        self._runs = {key: runs for key, runs in self._runs.items() if key in keys}
        for key, fragment in keys.items():
            if key not in self._runs:
                with lance_errors(self.table.index):
                    rows = fragment.to_table(columns=['video'], with_row_id=True)
                self._runs[key] = _runs_of(rows['video'].to_numpy(), rows['_rowid'].to_numpy())
        return [self._runs[key] for key in keys]


def _runs_of(video: np.ndarray, address: np.ndarray) -> _Runs:
    new: np.ndarray = np.ones(len(video), bool)
    new[1:] = (video[1:] != video[:-1]) | (address[1:] != address[:-1] + np.uint64(1))
    first = np.flatnonzero(new)
    count: np.ndarray = np.diff(np.append(first, len(video)))
    order = np.argsort(video[first], kind='stable')
    return _Runs(video[first][order], address[first][order], count[order])
