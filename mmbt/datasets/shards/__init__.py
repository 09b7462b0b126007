"""Clips as JPEG frames in tar files: written by ``tools/data/make_shards.py``, read by index."""
from .dataset import ShardedVideos

__all__ = ['ShardedVideos']
