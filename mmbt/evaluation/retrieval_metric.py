"""Video-text retrieval for ``mim test``."""
from typing import Any

import numpy as np
from mmaction.registry import METRICS

from mmbt.files.atomic import whole_file

from .features import FeatureMetric, stack_features
from .retrieval import retrieval_metrics, top_candidates
from .scored import scored_results

TOP_K = 10


@METRICS.register_module()
class VideoTextRetrieval(FeatureMetric):
    """Recall@1, 5, 10, median and mean rank, text to video and video to text.

    MMAction2's own ``RetrievalMetric`` has one direction, one caption a video, and counts tied
    queries several times. What is computed here, and how ties count: see
    :func:`mmbt.evaluation.retrieval.retrieval_metrics`. Beside them come ``scored`` and ``total``,
    how many videos of how many. One that was not read is neither a query nor a candidate.

    Args:
        dump: An ``.npz`` file to write for later reports: ``video_ids`` (N,), ``captions`` (M,),
            ``video_features`` (N, E), ``text_features`` (M, E), ``text_to_video`` (M,) and
            ``top_videos`` (M, 10), the best videos of each text.
        block_size: Texts compared with as many videos at once.
        **kwargs: Arguments of ``BaseMetric``.

    Raises:
        ValueError: If ``dump`` is not an ``.npz`` path or ``block_size`` is below 1.
    """

    default_prefix = 'retrieval'

    def __init__(self, dump: str | None = None, block_size: int = 1024, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if dump is not None and not dump.endswith('.npz'):
            raise ValueError(f'VideoTextRetrieval: dump must end in .npz, got {dump!r}')
        if block_size < 1:
            raise ValueError('VideoTextRetrieval: block_size must be at least 1, got '
                             f'{block_size}')
        self.dump = dump
        self.block_size = block_size

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the metrics of all videos that were read, and write ``dump`` where it is set."""
        results, counts = scored_results(results, self.prefix)
        text, video, text_to_video = stack_features(results)
        metrics = retrieval_metrics(text, video, text_to_video, self.block_size)
        if self.dump is not None:
            with whole_file(self.dump) as draft, open(draft, 'wb') as file:
                np.savez_compressed(
                    file,
                    video_ids=np.array([str(result['video_id']) for result in results]),
                    captions=np.array([text for result in results for text in result['captions']]),
                    video_features=video.numpy(), text_features=text.numpy(),
                    text_to_video=text_to_video.numpy(),
                    top_videos=top_candidates(text, video, TOP_K, self.block_size).numpy())
        return dict(metrics, **counts)
