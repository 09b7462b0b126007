from .bt_adapter import Branch, BTAdapter
from .frame_mean import FrameMean

__all__ = ['BTAdapter', 'Branch', 'FrameMean']
