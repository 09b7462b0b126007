from .convert import convert
from .report import describe

__all__ = ['convert', 'describe']
