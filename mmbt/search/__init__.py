"""Search in videos: encoder, index, queries and sheets."""
from .video_search import VideoSearch

__all__ = ['VideoSearch']
