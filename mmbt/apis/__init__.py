from mmbt.models.branch_file import load_branch, save_branch

from .chat import VideoChat, init_dialogue
from .init_model import init_model
from .search import VideoSearch

__all__ = [
    'VideoChat', 'VideoSearch', 'init_dialogue', 'init_model', 'load_branch', 'save_branch',
]
