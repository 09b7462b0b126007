"""Image dialogue models that a video goes into."""
from .base import VideoDialogue
from .llava import LLaVADialogue
from .llava_v1 import LLaVAV1Dialogue
from .q_former import InstructBLIPDialogue, MiniGPT4Dialogue
from .templates import TEMPLATES, Template
from .video_tokens import VideoTokens

__all__ = [
    'InstructBLIPDialogue', 'LLaVADialogue', 'LLaVAV1Dialogue', 'MiniGPT4Dialogue', 'TEMPLATES',
    'Template', 'VideoDialogue', 'VideoTokens'
]
