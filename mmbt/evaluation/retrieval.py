"""Recall and rank of text-to-video and video-to-text retrieval.

A query's candidates are ordered by cosine similarity, ties in random order; every number is the
expectation over that order. So a number does not depend on how the samples happen to be sorted,
each query counts once, and a model that gives every video the same feature scores exactly chance.
"""
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

RECALLS = (1, 5, 10)


def similarity(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return float64 cosine similarities (Q, C) of features (Q, E) and (C, E), to six decimals.

    Six is what single-precision features are good for. The rounding takes away what the order of
    summation adds, over frames or over blocks of rows, so that equal contents give equal values.
    """
    return torch.round(_normalised(queries) @ _normalised(candidates).T, decimals=6)


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

    Args:
        text_features (Tensor): (M, E), any scale.
        video_features (Tensor): (N, E), any scale.
        text_to_video (Tensor): (M,) int64, the video of each text.
        block_size (int): Queries compared at once; the (M, N) matrix is never whole in memory.
            The result does not depend on it. Defaults to 1024.

    Returns:
        dict[str, float]: R1, R5, R10, MdR and MnR, each as ``t2v_`` and ``v2t_``.

    Raises:
        ValueError: If shapes disagree, a feature is not finite, or a video has no text.
    """
    _check(text_features, video_features, text_to_video)
    videos = torch.arange(len(video_features), device=text_to_video.device)
    t2v = _placements(text_features, video_features, block_size,
                      lambda rows: text_to_video[rows, None] == videos)
    v2t = _placements(video_features, text_features, block_size,
                      lambda rows: videos[rows, None] == text_to_video)
    return {f'{name}_{key}': value for name, placed in (('t2v', t2v), ('v2t', v2t))
            for key, value in _summary(*placed).items()}


def top_candidates(queries: Tensor, candidates: Tensor, k: int, block_size: int = 1024) -> Tensor:
    """Return the indices (Q, min(k, C)) of the most similar candidates, best first.

    Of equal candidates the first comes first.
    """
    k = min(k, len(candidates))
    return torch.cat([
        torch.sort(similarity(queries[rows], candidates), descending=True, stable=True)[1][:, :k]
        for rows in _blocks(len(queries), block_size)])


def _placements(queries: Tensor, candidates: Tensor, block_size: int,
                is_right: Callable[[slice], Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """Return, each (Q,): the wrong candidates better, the wrong ones tied, the right ones tied."""
    better, wrong_ties, right_ties = [], [], []
    for rows in _blocks(len(queries), block_size):
        sims = similarity(queries[rows], candidates)
        right = is_right(rows)
        best = sims.masked_fill(~right, -torch.inf).amax(dim=1, keepdim=True)
        better.append(((sims > best) & ~right).sum(dim=1))
        wrong_ties.append(((sims == best) & ~right).sum(dim=1))
        right_ties.append(((sims == best) & right).sum(dim=1))
    return torch.cat(better), torch.cat(wrong_ties), torch.cat(right_ties)


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


def _normalised(features: Tensor) -> Tensor:
    return normalize(features.double(), dim=-1)


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
