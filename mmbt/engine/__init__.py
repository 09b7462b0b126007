from .hooks import BranchFileHook, BrokenVideoHook, ClassPromptHook
from .resuming import ResumableSampler, ResumableTrainLoop

__all__ = [
    'BranchFileHook', 'BrokenVideoHook', 'ClassPromptHook', 'ResumableSampler',
    'ResumableTrainLoop'
]
