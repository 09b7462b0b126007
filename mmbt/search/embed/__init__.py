"""Embedding on many machines: parts of a list, claimed by lease, written as fragments, merged."""
from .job import Counts, Job
from .merging import merge_embedded
from .running import embed_list

__all__ = ['Counts', 'Job', 'embed_list', 'merge_embedded']
