"""The authors' released files -> checkpoints and configs of this project."""
from .convert import convert
from .report import describe

__all__ = ['convert', 'describe']
