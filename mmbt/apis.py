"""The face for people who write Python: models, branches, search and conversation."""
from mmbt.conversation.answers import answer_questions
from mmbt.conversation.chat import VideoChat, init_dialogue
from mmbt.models.checkpoints.branch_file import load_branch, save_branch
from mmbt.models.init_model import init_model
from mmbt.search.video_search import VideoSearch

__all__ = [
    'VideoChat', 'VideoSearch', 'answer_questions', 'init_dialogue', 'init_model', 'load_branch',
    'save_branch',
]
