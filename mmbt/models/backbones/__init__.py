from .branch import Branch, ReleasedBranch
from .bt_adapter import BTAdapter
from .frame_mean import FrameMean
from .st_adapter import STAdapter
from .stan import STAN

__all__ = ['BTAdapter', 'Branch', 'FrameMean', 'ReleasedBranch', 'STAN', 'STAdapter']
