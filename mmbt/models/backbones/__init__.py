from .branch import Branch, ReleasedBranch
from .bt_adapter import BTAdapter
from .frame_mean import FrameMean

__all__ = ['BTAdapter', 'Branch', 'FrameMean', 'ReleasedBranch']
