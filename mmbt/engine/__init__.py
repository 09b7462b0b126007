from .hooks import BrokenVideoHook, ClassPromptHook

__all__ = ['BrokenVideoHook', 'ClassPromptHook']
