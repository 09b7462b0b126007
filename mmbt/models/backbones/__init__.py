from .branch import Branch, ReleasedBranch
from .bt_adapter import BTAdapter
from .frame_mean import FrameMean, STPooling, pool_space_and_time
from .joint_st import JointST
from .separate_st import SeparateST
from .st_adapter import STAdapter
from .stan import STAN

__all__ = [
    'BTAdapter', 'Branch', 'FrameMean', 'JointST', 'ReleasedBranch', 'STAN', 'STAdapter',
    'STPooling', 'SeparateST', 'pool_space_and_time'
]
