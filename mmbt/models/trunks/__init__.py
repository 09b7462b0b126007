from .base import FrameTokens, Trunk
from .open_clip import OpenCLIPTrunk

__all__ = ['FrameTokens', 'OpenCLIPTrunk', 'Trunk']
