"""Metrics."""
from .accuracy import ScoredAccMetric
from .pair_metric import PairOrderMetric
from .retrieval import retrieval_metrics
from .retrieval_metric import VideoTextRetrieval
from .split_accuracy import SplitAccuracy

__all__ = [
    'PairOrderMetric', 'ScoredAccMetric', 'SplitAccuracy', 'VideoTextRetrieval',
    'retrieval_metrics',
]
