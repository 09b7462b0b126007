"""Which classes videos and their windows may be of, by the cosines of names."""
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch


class LabelledWindow(NamedTuple):
    """A part of a video, in seconds, and the classes that it may be of, best first."""

    start: float
    end: float
    labels: list[tuple[str, float]]


def rank_labels(rows: np.ndarray, names: Sequence[str], texts: np.ndarray, top: int,
                temperature: float) -> list[list[tuple[str, float]]]:
    """The classes that each of several embeddings may be of.

    Args:
        rows: (N, E) of length 1.
        names: C classes.
        texts: (C, E) of length 1, those of the names.
        top: How many classes.
        temperature: tau, by which cosines are divided before the softmax over all C.

    Returns:
        For each of N (name, probability), best first.
    """
    scores = torch.softmax(torch.from_numpy(rows @ texts.T) / temperature, dim=1).numpy()
    return [[(names[place], float(row[place])) for place in best_first(row)[:top]]
            for row in scores]


def check_labels(classes: Sequence[str], top: int, temperature: float) -> tuple[str, ...]:
    """The names of classes; ValueError for what :meth:`VideoSearch.label` refuses."""
    if isinstance(classes, str) or len(classes) < 2:
        raise ValueError(f'classes must be the names of at least two, got {classes!r}')
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice:
        raise ValueError(f'class {twice[0]!r} is named twice')
    check_top(top)
    if not temperature > 0:
        raise ValueError(f'temperature must be above 0, got {temperature}')
    return tuple(classes)


def check_top(top: int) -> None:
    """Raise ValueError where ``top`` is below 1."""
    if top < 1:
        raise ValueError(f'top must be at least 1, got {top}')


def best_first(scores: np.ndarray) -> np.ndarray:
    """Places by score, the first of equal ones first."""
    return np.argsort(-scores, kind='stable')
