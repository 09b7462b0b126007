"""Clips as JPEG frames in tar files: written by ``mmbt prepare shards``, read by index."""
from .dataset import ShardedVideos

__all__ = ['ShardedVideos']
