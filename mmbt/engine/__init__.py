"""How training runs: loop, hooks, schedule, resuming, monitoring, launching."""
from .hooks import BranchFileHook, BrokenVideoHook, ClassPromptHook, ModelCardHook
from .lazy_info import LazyRuntimeInfoHook
from .monitoring import NonFiniteHook, TrainingMonitorHook
from .resuming import ResumableSampler, ResumableTrainLoop
from .run_hooks import ResumeCheckHook, WorkDirLockHook
from .schedule import WarmUpCosineLR

__all__ = [
    'BranchFileHook', 'BrokenVideoHook', 'ClassPromptHook', 'LazyRuntimeInfoHook',
    'ModelCardHook', 'NonFiniteHook', 'ResumableSampler', 'ResumableTrainLoop',
    'ResumeCheckHook', 'TrainingMonitorHook', 'WarmUpCosineLR', 'WorkDirLockHook'
]
