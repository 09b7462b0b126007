"""The part that metrics over video and text features share."""
from collections.abc import Sequence

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor


class FeatureMetric(BaseMetric):
    """Collects the features of every video and of its M texts.

    ``process`` reads from each data sample ``video_feature`` (E,), ``text_features`` (M, E),
    ``video_id`` and ``captions`` (M texts), and keeps one result a video.
    """

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the features of one batch on the CPU."""
        for sample in data_samples:
            self.results.append(dict(
                video_id=sample['video_id'],
                captions=list(sample.get('captions', ())),
                video_feature=sample['video_feature'].detach().float().cpu(),
                text_features=sample['text_features'].detach().float().cpu()))


def stack_features(results: list[dict]) -> tuple[Tensor, Tensor, Tensor]:
    """Return texts (M, E), videos (N, E) and the video of each text (M,) from kept results.

    Raises:
        ValueError: If there are no results.
    """
    if not results:
        raise ValueError('no video was evaluated: the dataset is empty')
    text = torch.cat([result['text_features'] for result in results])
    video = torch.stack([result['video_feature'] for result in results])
    counts = torch.tensor([len(result['text_features']) for result in results])
    return text, video, torch.repeat_interleave(torch.arange(len(results)), counts)
