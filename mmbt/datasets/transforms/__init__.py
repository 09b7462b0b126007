"""Transforms from an annotation to packed frames and tokens."""
from .draws import FixedDraws
from .packing import PackVideoText
from .reading import ReadFrames
from .shard_frames import ReadShardFrames
from .text import TokenizeText

__all__ = ['FixedDraws', 'PackVideoText', 'ReadFrames', 'ReadShardFrames', 'TokenizeText']
