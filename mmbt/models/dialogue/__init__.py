from .base import VideoDialogue
from .llava import LLaVADialogue
from .q_former import InstructBLIPDialogue, MiniGPT4Dialogue
from .templates import TEMPLATES, Template
from .video_tokens import VideoTokens

__all__ = [
    'InstructBLIPDialogue', 'LLaVADialogue', 'MiniGPT4Dialogue', 'TEMPLATES', 'Template',
    'VideoDialogue', 'VideoTokens'
]
