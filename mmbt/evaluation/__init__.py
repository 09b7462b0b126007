"""Metrics."""
from .pair_metric import PairOrderMetric
from .retrieval import retrieval_metrics
from .retrieval_metric import VideoTextRetrieval

__all__ = ['PairOrderMetric', 'VideoTextRetrieval', 'retrieval_metrics']
