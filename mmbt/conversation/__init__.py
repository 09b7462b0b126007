"""Talk with videos: dialogue models, their tuning, questions, answers, judge and report."""
from .models import InstructBLIPDialogue, LLaVADialogue, LLaVAV1Dialogue, MiniGPT4Dialogue
from .tuning import DialogueTuning, VideoInstructions

__all__ = [
    'DialogueTuning', 'InstructBLIPDialogue', 'LLaVADialogue', 'LLaVAV1Dialogue',
    'MiniGPT4Dialogue', 'VideoInstructions'
]
