from .backbones import STAN, Branch, BTAdapter, FrameMean, STAdapter
from .heads import MBCAHead, MBTAHead, VTCHead, ZeroShotHead
from .masks import RandomMask, TubeMask, gather_visible
from .preprocessor import VideoTextDataPreprocessor
from .structures import VideoEncoding
from .text import TextTower
from .trunks import HuggingFaceTrunk, OpenCLIPTrunk, Trunk
from .video_text import VideoTextModel

__all__ = [
    'BTAdapter', 'Branch', 'FrameMean', 'HuggingFaceTrunk', 'MBCAHead', 'MBTAHead',
    'OpenCLIPTrunk', 'RandomMask', 'STAN', 'STAdapter', 'TextTower', 'Trunk', 'TubeMask',
    'VTCHead', 'VideoEncoding', 'VideoTextDataPreprocessor', 'VideoTextModel', 'ZeroShotHead',
    'gather_visible'
]
