"""Transforms from an annotation to packed frames and tokens."""
from .packing import PackVideoText
from .reading import ReadFrames
from .text import TokenizeText

__all__ = ['PackVideoText', 'ReadFrames', 'TokenizeText']
