"""Recall and rank of text-to-video and video-to-text retrieval.

A query's candidates are ordered by cosine similarity, ties in random order; every number is the
expectation over that order. So a number does not depend on how the samples happen to be sorted,
each query counts once, and a model that gives every video the same feature scores exactly chance.

Similarities are computed in tiles, texts by videos, each once for both directions; the matrix is
never whole in memory. They are exact: a normalised feature is rounded to a multiple of 2**-26, so
that every product of two and every sum of such products is a whole multiple of 2**-52 and fits
float64. No order of summation, hence no size of the tiles, changes a bit.
"""
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

RECALLS = (1, 5, 10)
MICRO = 1e6
STEPS = 2.0**26


def similarity(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return float64 cosine similarities (Q, C) of features (Q, E) and (C, E), to six decimals.

    Six is what single-precision features are good for. The rounding takes away what the order of
    summation adds over frames, so that equal contents give equal values.
    """
    return _micro(_steps(queries) @ _steps(candidates).T) / MICRO


def retrieval_metrics(text_features: Tensor, video_features: Tensor, text_to_video: Tensor,
                      block_size: int = 1024) -> dict[str, float]:
    """Score retrieval in both directions.

    Text to video: every text is a query, its video the only right answer. Video to text: every
    video is a query, and the best placed of its texts gives its rank. Recall is in percent, ranks
    start at 1, MdR is the median rank and MnR the mean rank.

    For a query let g wrong candidates be strictly more similar than the best right one, t wrong
    ones equal to it, and o right ones equal to it (itself included). The expected rank is
    1 + g + t / (o + 1), and the chance of a rank up to k is one less the chance that the first
    k - g of the tied places all go to wrong candidates.

    Beside the features themselves, memory holds the videos' once more in double precision.

    Args:
        text_features: (M, E), any scale.
        video_features: (N, E), any scale.
        text_to_video: (M,) int64, the video of each text.
        block_size: Texts compared with as many videos at once. The result does not depend on it.

    Returns:
        R1, R5, R10, MdR and MnR, each as ``t2v_`` and ``v2t_``.

    Raises:
        ValueError: If shapes disagree, a feature is not finite, or a video has no text.
    """
    _check(text_features, video_features, text_to_video)
    t2v, v2t = _placements(text_features, _steps(video_features, block_size), text_to_video,
                           block_size)
    return {f'{name}_{key}': value for name, placed in (('t2v', t2v), ('v2t', v2t))
            for key, value in _summary(*placed).items()}


def top_candidates(queries: Tensor, candidates: Tensor, k: int, block_size: int = 1024) -> Tensor:
    """Return the indices (Q, min(k, C)) of the most similar candidates, best first.

    Of equal candidates the first comes first.
    """
    total = len(candidates)
    k = min(k, total)
    steps = _steps(candidates, block_size)
    found = []
    for rows in _blocks(len(queries), block_size):
        block = _steps(queries[rows])
        best = block.new_empty(len(block), 0)
        for columns in _blocks(total, block_size):
            # One whole number a candidate, below 2**53: its similarity, then how early it comes.
            sims = _micro(block @ steps[columns].T)
            index = torch.arange(columns.start, columns.start + sims.shape[1], device=sims.device)
            keys = torch.cat([best, sims.mul_(total).add_(total - 1 - index)], dim=1)
            best = keys.topk(min(k, keys.shape[1]), dim=1)[0]
        found.append(total - 1 - best.remainder(total).long())
    return torch.cat(found) if found else torch.empty(0, k, dtype=torch.int64)


def _placements(text: Tensor, video_steps: Tensor, text_to_video: Tensor,
                block_size: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return what :func:`_summary` takes for the texts, each (M,), and for the videos, each (N,).

    That is, for each query, the wrong candidates better, the wrong ones tied, the right ones tied.
    """
    own = torch.cat([_micro((_steps(text[rows]) * video_steps[text_to_video[rows]]).sum(dim=1))
                     for rows in _blocks(len(text), block_size)])
    best = own.new_full((len(video_steps),), -torch.inf).scatter_reduce_(
        0, text_to_video, own, reduce='amax')
    t2v = torch.zeros(3, len(text), dtype=torch.int64, device=own.device)
    v2t = torch.zeros(3, len(video_steps), dtype=torch.int64, device=own.device)
    t2v[2] = 1
    v2t[2].scatter_add_(0, text_to_video, (own == best[text_to_video]).long())
    for rows in _blocks(len(text), block_size):
        block, mine = _steps(text[rows]), text_to_video[rows]
        for columns in _blocks(len(video_steps), block_size):
            sims = _micro(block @ video_steps[columns].T)
            inside = ((mine >= columns.start) & (mine < columns.stop)).nonzero()[:, 0]
            sims[inside, mine[inside] - columns.start] = -torch.inf  # the right ones
            for place, compare in enumerate((torch.gt, torch.eq)):
                t2v[place, rows] += compare(sims, own[rows, None]).sum(dim=1)
                v2t[place, columns] += compare(sims, best[None, columns]).sum(dim=0)
    return tuple(t2v), tuple(v2t)


def _summary(better: Tensor, wrong: Tensor, right: Tensor) -> dict[str, float]:
    better, wrong, right = better.double(), wrong.double(), right.double()
    rank = 1 + better + wrong / (right + 1)
    metrics = {f'R{k}': 100 * _chance_within(k, better, wrong, right).mean().item()
               for k in RECALLS}
    metrics['MdR'] = float(np.median(rank.cpu().numpy()))
    metrics['MnR'] = rank.mean().item()
    return metrics


def _chance_within(k: int, better: Tensor, wrong: Tensor, right: Tensor) -> Tensor:
    """Return (Q,) the chance that the first right candidate is among the k best."""
    missed = torch.ones_like(better)
    for place in range(k):
        all_wrong = ((wrong - place) / (wrong + right - place)).clamp(min=0)
        missed = torch.where(better + place < k, missed * all_wrong, missed)
    return 1 - missed


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, length, size))


def _steps(features: Tensor, block_size: int = 1024) -> Tensor:
    """Return float64 whole numbers like ``features`` (N, E): each row normalised, in 2**-26."""
    steps = torch.empty(features.shape, dtype=torch.float64, device=features.device)
    for rows in _blocks(len(features), block_size):
        steps[rows] = normalize(features[rows].double(), dim=-1).mul_(STEPS).round_()
    return steps


def _micro(products: Tensor) -> Tensor:
    """Return the products of :func:`_steps` as whole millionths, in place."""
    return products.mul_(MICRO / STEPS**2).round_()


def _check(text: Tensor, video: Tensor, text_to_video: Tensor) -> None:
    if text.ndim != 2 or video.ndim != 2 or text.shape[1] != video.shape[1]:
        raise ValueError('retrieval needs features (M, E) and (N, E), got '
                         f'{tuple(text.shape)} and {tuple(video.shape)}')
    if text_to_video.shape != text.shape[:1]:
        raise ValueError(f'text_to_video must be ({len(text)},), got '
                         f'{tuple(text_to_video.shape)}')
    for name, features in (('text', text), ('video', video)):
        finite = features.isfinite().all(dim=1)
        if not finite.all():
            raise ValueError(f'the feature of {name} {int((~finite).nonzero()[0])} is not finite')
    if len(text) and (text_to_video.min() < 0 or text_to_video.max() >= len(video)):
        raise ValueError(f'text_to_video must lie in 0..{len(video) - 1}')
    counts = torch.bincount(text_to_video, minlength=len(video))
    if len(video) == 0 or (counts == 0).any():
        raise ValueError('every video needs a text' + (
            f': video {int((counts == 0).nonzero()[0])} has none' if len(video) else
            ', and there are no videos'))
