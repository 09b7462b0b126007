"""The face for people who write Python: models, branches, search and conversation."""
from mmbt.conversation.answers import answer_questions
from mmbt.conversation.chat import VideoChat, init_dialogue
from mmbt.models.checkpoints.branch_file import load_branch, save_branch
from mmbt.models.init_model import init_model
from mmbt.search.inferencer import VideoTextInferencer
from mmbt.search.load import load
from mmbt.search.pretrained import from_pretrained, push_to_hub, save_pretrained
from mmbt.search.video_search import VideoSearch

__all__ = [
    'VideoChat', 'VideoSearch', 'VideoTextInferencer', 'answer_questions', 'from_pretrained',
    'init_dialogue', 'init_model', 'load', 'load_branch', 'push_to_hub', 'save_branch',
    'save_pretrained',
]
