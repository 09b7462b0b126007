"""Recognition: MMAction2's accuracy over the videos that could be read, by split where wished."""
from collections.abc import Sequence
from typing import Any

from mmaction.evaluation import AccMetric
from mmaction.registry import METRICS

from .scored import broken_result, scored_results


@METRICS.register_module()
class ScoredAccMetric(AccMetric):
    """MMAction2's ``AccMetric`` that leaves out, counts and names videos that cannot be read.

    It takes the same arguments and gives the same numbers, and beside them ``scored`` and
    ``total``; see :mod:`mmbt.evaluation.scored`.
    """

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the scores and labels of one batch, in its order."""
        before = len(self.results)
        broken = [broken_result(sample) for sample in data_samples]
        super().process(data_batch, [sample for sample, reason in zip(data_samples, broken)
                                     if reason is None])
        scored = iter(self.results[before:])
        self.results[before:] = [reason or next(scored) for reason in broken]

    def compute_metrics(self, results: list[dict]) -> dict:
        """Return the accuracies of what was scored, ``scored`` and ``total``."""
        results, counts = scored_results(results, self.prefix)
        return dict(super().compute_metrics(results), **counts)


@METRICS.register_module()
class SplitAccuracy(ScoredAccMetric):
    """MMAction2's accuracies for each split that a video is of, and their mean over the splits.

    Reads ``pred_score`` (C,), ``gt_label`` (1,) and ``splits`` of every data sample, as
    :class:`mmbt.datasets.SplitVideos` gives them. Reports ``split1_top1`` and so on, and
    ``mean_top1``: splits count alike, whatever their size. Videos that cannot be read are left out,
    as :class:`ScoredAccMetric` does.

    Args:
        metric_list: As in MMAction2's ``AccMetric``. Defaults to 'top_k_accuracy', top-1 and top-5.
        **kwargs: Arguments of ``AccMetric``.
    """

    def __init__(self, metric_list: object = ('top_k_accuracy', ), **kwargs: Any) -> None:
        super().__init__(metric_list=metric_list, **kwargs)

    def process(self, data_batch: object, data_samples: Sequence[dict]) -> None:
        """Keep the scores, labels and splits of one batch."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        for result, sample in zip(self.results[before:], data_samples):
            result['splits'] = list(sample['splits'])

    def compute_metrics(self, results: list[dict]) -> dict:
        """Return the accuracies by split, their means, ``scored`` and ``total``."""
        results, counts = scored_results(results, self.prefix)
        values: dict[str, float] = {}
        found = []
        for split in sorted({split for result in results for split in result['splits']}):
            found.append(AccMetric.compute_metrics(
                self, [result for result in results if split in result['splits']]))
            values.update({f'split{split}_{name}': value for name, value in found[-1].items()})
        for name in found[0]:
            values[f'mean_{name}'] = sum(values[name] for values in found) / len(found)
        return dict(values, **counts)
