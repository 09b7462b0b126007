from mmbt.models.branch_file import load_branch, save_branch

from .chat import VideoChat, init_dialogue
from .converse import answer_questions
from .init_model import init_model
from .search import VideoSearch

__all__ = [
    'VideoChat', 'VideoSearch', 'answer_questions', 'init_dialogue', 'init_model', 'load_branch',
    'save_branch',
]
