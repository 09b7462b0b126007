"""Instruction tuning of a dialogue model on questions about videos."""
from .instructions import VideoInstructions
from .model import DialogueTuning

__all__ = ['DialogueTuning', 'VideoInstructions']
