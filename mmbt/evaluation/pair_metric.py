"""Pairs of videos that differ in one thing, such as the order of events."""
from typing import Any

import numpy as np
import torch
from mmaction.registry import METRICS
from torch import Tensor

from mmbt.datasets.annotations import load_json

from .features import FeatureMetric
from .retrieval import similarity
from .scored import counts_of, scored_results


@METRICS.register_module()
class PairOrderMetric(FeatureMetric):
    """Accuracy of telling the two videos of a pair apart, in percent; a guess scores 50.

    ``t2v_acc``: share of texts closer to their own video than to the pair's other one.
    ``v2t_acc``: share of videos closer to their own text than to the other's.
    ``acc``: the mean of both. A tie counts one half. Each pair weighs the same; where videos have
    several texts, all of them (and all combinations for ``v2t_acc``) are averaged. A pair with a
    video that could not be read is left out: ``scored`` of ``total`` pairs count.

    Args:
        pairs_file: JSON ``[[id_a, id_b], ...]`` of video ids.
        **kwargs: Arguments of ``BaseMetric``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is malformed, names a video that was not evaluated, or has no pair that
            could be read.
    """

    default_prefix = 'pairs'

    def __init__(self, pairs_file: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pairs_file = pairs_file
        self.pairs = read_pairs(pairs_file)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compare the videos of each pair.

        Args:
            results: What :class:`FeatureMetric` kept of each video.

        Returns:
            ``t2v_acc``, ``v2t_acc`` and ``acc``, in percent; ``scored`` and ``total``, in pairs.

        Raises:
            ValueError: If a video of a pair was not evaluated, or no pair could be read whole.
        """
        by_id = {result['video_id']: result for result in results}
        scored_results(results, self.prefix)  # the log names those that could not be read
        for video in {video for pair in self.pairs for video in pair}:
            if video not in by_id:
                raise ValueError(f'{self.pairs_file} names video {video!r}, which was not '
                                 'evaluated: pairs and annotation must be of one set')
        pairs = [(by_id[a], by_id[b]) for a, b in self.pairs
                 if not ('broken' in by_id[a] or 'broken' in by_id[b])]
        if not pairs:
            raise ValueError(f'{self.pairs_file}: no pair has two videos that could be read')
        scores = torch.tensor([_pair_accuracy(a, b) for a, b in pairs])
        t2v, v2t = (100 * scores.double().mean(dim=0)).tolist()
        return dict(t2v_acc=t2v, v2t_acc=v2t, acc=(t2v + v2t) / 2,
                    **counts_of(len(pairs), len(self.pairs)))


def _pair_accuracy(a: dict, b: dict) -> tuple[float, float]:
    """Return the text-to-video and video-to-text accuracy (0 to 1) of one pair.

    Args:
        a: ``video_feature`` (E,) and ``text_features`` (M_a, E), numpy float32.
        b: The same of the other video.
    """
    videos = torch.from_numpy(np.stack([a['video_feature'], b['video_feature']]))
    sims_a = similarity(torch.from_numpy(a['text_features']), videos)
    sims_b = similarity(torch.from_numpy(b['text_features']), videos)
    t2v = torch.cat([_wins(sims_a[:, 0], sims_a[:, 1]), _wins(sims_b[:, 1], sims_b[:, 0])])
    v2t = torch.stack([_wins(sims_a[:, None, 0], sims_b[None, :, 0]).mean(),
                       _wins(sims_b[:, None, 1], sims_a[None, :, 1]).mean()])
    return t2v.mean().item(), v2t.mean().item()


def read_pairs(path: str) -> list[tuple[str, str]]:
    """Read ``[[id_a, id_b], ...]``.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is malformed.
    """
    pairs = load_json(path, list)
    for index, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2 and pair[0] != pair[1]
                and all(isinstance(video, str) for video in pair)):
            raise ValueError(f'{path} entry {index} must be two different video ids, got {pair!r}')
    return [(a, b) for a, b in pairs]


def _wins(own: Tensor, other: Tensor) -> Tensor:
    return (own > other).float() + 0.5 * (own == other).float()
