from .hooks import BranchFileHook, BrokenVideoHook, ClassPromptHook

__all__ = ['BranchFileHook', 'BrokenVideoHook', 'ClassPromptHook']
