"""What the paper compares the branch with: each returns a VideoEncoding."""
from .frame_mean import FrameMean, STPooling, pool_space_and_time
from .joint_st import JointST
from .separate_st import SeparateST
from .st_adapter import STAdapter
from .stan import STAN

__all__ = [
    'FrameMean', 'JointST', 'STAN', 'STAdapter', 'STPooling', 'SeparateST', 'pool_space_and_time'
]
