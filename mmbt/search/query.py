"""What is looked for, as a vector, and what was found, as moments."""
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from mmbt.files.shown import printable

from .windows import Window

MODES = {'plain': 'embedding', 'time': 'time', 'mean': 'baseline'}
"""What of a window is scored, by mode."""
NOTHING = 1e-3  # length of a vector of which nothing is left


class Hit(NamedTuple):
    """A moment of a video: its path, from when to when in seconds, and its best window's score."""

    path: str
    start: float
    end: float
    score: float


@dataclass(frozen=True)
class Query:
    """What is looked for: all of it at once.

    Args:
        texts: What the moment shows.
        videos: Files that it looks like.
        images: Pictures that it looks like: files.
        without: Texts of what it does not show; only what tells the rest from them counts.
        mode: ``'plain'`` scores a window by its cosine with the query, ``'time'`` takes
            the windows whose frame means, which are blind to order, fit best, and orders these by
            how much the branch raises their cosine, ``'mean'`` scores the frame means.
        scope: A folder, or a file, outside which nothing is found.

    Raises:
        ValueError: If there is nothing to look for, a text is empty, or the mode is unknown.
    """

    texts: tuple[str, ...] = ()
    videos: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    mode: str = 'plain'
    scope: str | None = None

    def __post_init__(self) -> None:
        for name in ('texts', 'videos', 'images', 'without'):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if not (self.texts or self.videos or self.images):
            raise ValueError('a query needs a text, a video or an image to look for' + (
                f', beside {self.without[0]!r} to leave out' if self.without else ''))
        for text in (*self.texts, *self.without):
            if not (isinstance(text, str) and text.strip()):
                raise ValueError(f'a text to compare videos with is empty or no text: {text!r}')
            if any('\ud800' <= letter <= '\udfff' for letter in text):
                raise ValueError(f'a text to compare videos with is no UTF-8: {printable(text)}')
        if self.mode not in MODES:
            raise ValueError(f"a query's mode is 'plain', 'time' or 'mean', got {self.mode!r}")


def combine(wanted: np.ndarray, without: np.ndarray) -> np.ndarray:
    """One query of several vectors of length 1.

    It is the mean of what is wanted, less its part in the directions of what is not (its projection
    on the space that they span), at length 1: a window scores by what tells the wanted from the
    unwanted, and what both have in common counts nothing.

    Args:
        wanted: (N, E), N at least 1.
        without: (M, E).

    Returns:
        (E,) float32.

    Raises:
        ValueError: If nothing is left.
    """
    query = wanted.mean(axis=0, dtype=np.float64)
    if len(without):
        _, sizes, directions = np.linalg.svd(without.astype(np.float64), full_matrices=False)
        directions = directions[sizes > NOTHING]
        query = query - directions.T @ (directions @ query)
    length = np.linalg.norm(query)
    if length < NOTHING:
        raise ValueError('nothing is left of the query: what it looks for and what it is to be '
                         'without, or its parts, cancel each other')
    return (query / length).astype(np.float32)


def mean_of(rows: np.ndarray) -> np.ndarray:
    """The mean of a video's (W, E) windows, (E,) at length 1; a single window as it is."""
    return rows[0] if len(rows) == 1 else combine(rows, rows[:0])


class _Scored(Protocol):
    """A window with its score, as an index gives it."""

    @property
    def path(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def score(self) -> float: ...


def merge(found: Sequence[_Scored], of_video: Callable[[str], Sequence[_Scored]], top: int,
          same: float) -> list[Hit]:
    """The best moments of windows that overlap.

    From the best window to the worst, each that overlaps or touches no hit of its video begins one,
    until there are ``top``. A hit grows to both sides, window by window, as long as the next one
    overlaps or touches it, is of no other hit, and is among its video's best: its score lies at
    least halfway from the mean of all its video's windows to the hit's best, or at most ``same``
    below the hit's best. A hit's score is that of its best window.

    Args:
        found: Windows, best first.
        of_video: All windows of a video in the order of time, by its path.
        top: Hits at most.
        same: A difference of scores that means nothing.
    """
    hits: list[Hit] = []
    by_video: dict[str, list[Hit]] = {}
    for best in found:
        others = by_video.setdefault(best.path, [])
        window = Window(best.start, best.end)
        if any(window.touches(Window(hit.start, hit.end)) for hit in others):
            continue
        hit = _grown(best, of_video(best.path), others, same)
        hits.append(hit)
        others.append(hit)
        if len(hits) == top:
            break
    return hits


def _grown(best: _Scored, windows: Sequence[_Scored], others: Sequence[Hit], same: float) -> Hit:
    scores = [window.score for window in windows]
    level = best.score - same
    if scores:
        level = min(level, (best.score + sum(scores) / len(scores)) / 2)
    start, end = best.start, best.end
    place = next((i for i, window in enumerate(windows)
                  if (window.start, window.end) == (best.start, best.end)), 0)
    for side in (windows[place + 1:], windows[:place][::-1]):
        for window in side:
            span = Window(window.start, window.end)
            if (window.score < level or not span.touches(Window(start, end))
                    or any(span.touches(Window(hit.start, hit.end)) for hit in others)):
                break
            start, end = min(start, span.start), max(end, span.end)
    return Hit(best.path, start, end, float(best.score))
