from .hooks import BranchFileHook, BrokenVideoHook, ClassPromptHook
from .monitoring import NonFiniteHook, TrainingMonitorHook
from .resuming import ResumableSampler, ResumableTrainLoop

__all__ = [
    'BranchFileHook', 'BrokenVideoHook', 'ClassPromptHook', 'NonFiniteHook', 'ResumableSampler',
    'ResumableTrainLoop', 'TrainingMonitorHook'
]
