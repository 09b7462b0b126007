"""The paper: trunk, branch, what it is compared with, masks, objectives and the model of all."""
from .branch import Branch
from .bt_adapter import BTAdapter
from .compared import (
    STAN,
    FrameMean,
    JointST,
    SeparateST,
    STAdapter,
    STPooling,
    pool_space_and_time,
)
from .families.hugging_face import HuggingFaceTrunk
from .families.open_clip import OpenCLIPTrunk
from .masks import RandomMask, TubeMask, gather_visible
from .objectives import MBCAHead, MBTAHead, VTCHead
from .preprocessor import VideoTextDataPreprocessor
from .structures import VideoEncoding
from .text import TextTower
from .trunk import Trunk
from .video_text import VideoTextModel
from .zero_shot import ZeroShotHead

__all__ = [
    'BTAdapter', 'Branch', 'FrameMean', 'HuggingFaceTrunk', 'JointST', 'MBCAHead', 'MBTAHead',
    'OpenCLIPTrunk', 'RandomMask', 'STAN', 'STAdapter', 'STPooling', 'SeparateST', 'TextTower',
    'Trunk', 'TubeMask', 'VTCHead', 'VideoEncoding', 'VideoTextDataPreprocessor',
    'VideoTextModel', 'ZeroShotHead', 'gather_visible', 'pool_space_and_time'
]
