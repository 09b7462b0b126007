from .base import FrameTokens, Trunk
from .hugging_face import HuggingFaceTrunk
from .open_clip import OpenCLIPTrunk

__all__ = ['FrameTokens', 'HuggingFaceTrunk', 'OpenCLIPTrunk', 'Trunk']
