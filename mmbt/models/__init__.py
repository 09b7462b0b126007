from .backbones import (
    STAN,
    Branch,
    BTAdapter,
    FrameMean,
    JointST,
    SeparateST,
    STAdapter,
    STPooling,
    pool_space_and_time,
)
from .dialogue import (
    DialogueTuning,
    InstructBLIPDialogue,
    LLaVADialogue,
    LLaVAV1Dialogue,
    MiniGPT4Dialogue,
)
from .heads import MBCAHead, MBTAHead, VTCHead, ZeroShotHead
from .masks import RandomMask, TubeMask, gather_visible
from .preprocessor import VideoTextDataPreprocessor
from .structures import VideoEncoding
from .text import TextTower
from .trunks import HuggingFaceTrunk, OpenCLIPTrunk, Trunk
from .video_text import VideoTextModel

__all__ = [
    'BTAdapter', 'Branch', 'DialogueTuning', 'FrameMean', 'HuggingFaceTrunk',
    'InstructBLIPDialogue', 'JointST', 'LLaVADialogue', 'LLaVAV1Dialogue', 'MBCAHead', 'MBTAHead',
    'MiniGPT4Dialogue', 'OpenCLIPTrunk', 'RandomMask', 'STAN', 'STAdapter', 'STPooling',
    'SeparateST', 'TextTower', 'Trunk', 'TubeMask', 'VTCHead', 'VideoEncoding',
    'VideoTextDataPreprocessor', 'VideoTextModel', 'ZeroShotHead', 'gather_visible',
    'pool_space_and_time'
]
