"""The part that metrics over video and text features share."""
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from .scored import broken_result


class FeatureMetric(BaseMetric):
    """Collects the features of every video and of its M texts.

    ``process`` reads from each data sample ``video_feature`` (E,), ``text_features`` (M, E),
    ``video_id`` and ``captions`` (M texts), and keeps one result a video: numpy float32, as a
    tensor that is a row of its batch would be pickled, between processes, with the whole batch.
    Of a video that could not be read it keeps the name alone; see :mod:`mmbt.evaluation.scored`.
    """

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the features of one batch on the CPU."""
        for sample in data_samples:
            self.results.append(broken_result(sample) or dict(
                video_id=sample['video_id'],
                captions=list(sample.get('captions', ())),
                video_feature=_own_array(sample['video_feature']),
                text_features=_own_array(sample['text_features'])))


def stack_features(results: list[dict]) -> tuple[Tensor, Tensor, Tensor]:
    """Return texts (M, E), videos (N, E) and the video of each text (M,) from kept results."""
    text = np.concatenate([result['text_features'] for result in results])
    video = np.stack([result['video_feature'] for result in results])
    counts = torch.tensor([len(result['text_features']) for result in results])
    return (torch.from_numpy(text), torch.from_numpy(video),
            torch.repeat_interleave(torch.arange(len(results)), counts))


def _own_array(features: Tensor) -> np.ndarray:
    """A float32 copy that keeps no larger tensor alive."""
    return features.detach().float().cpu().numpy().copy()
