"""Recognition: MMAction2's accuracy over the videos that could be read."""
from collections.abc import Sequence

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
