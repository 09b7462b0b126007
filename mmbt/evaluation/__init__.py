"""Metrics."""
from .accuracy import ScoredAccMetric, SplitAccuracy
from .pair_metric import PairOrderMetric
from .retrieval import retrieval_metrics
from .retrieval_metric import VideoTextRetrieval

__all__ = [
    'PairOrderMetric', 'ScoredAccMetric', 'SplitAccuracy', 'VideoTextRetrieval',
    'retrieval_metrics',
]
