"""The face for people who write Python: what the ``mmbt`` command does, function by function."""
from mmbt.conversation.answers import answer_questions
from mmbt.conversation.benchmarks import (
    answer_benchmark,
    exact_benchmark,
    find_benchmark,
    judge_benchmark,
    report_runs,
)
from mmbt.conversation.chat import VideoChat, init_dialogue
from mmbt.datasets.preparation import prepare
from mmbt.datasets.shards.write import make_shards
from mmbt.datasets.sources import captions_of_dataset, videos_of_dataset
from mmbt.datasets.video_files import find_videos
from mmbt.models.checkpoints.branch_file import load_branch, save_branch
from mmbt.models.checkpoints.conversion import convert
from mmbt.models.init_model import init_model
from mmbt.reading.check import check_videos
from mmbt.search.embed import embed_list, merge_embedded
from mmbt.search.explain import Explanation, explain, save_explanation
from mmbt.search.folder_search import FolderSearch
from mmbt.search.inferencer import VideoTextInferencer
from mmbt.search.jobs import index_videos
from mmbt.search.load import load
from mmbt.search.pretrained import from_pretrained, push_to_hub, save_pretrained
from mmbt.search.tables import write_labels
from mmbt.search.video_search import VideoSearch

__all__ = [
    'Explanation', 'FolderSearch', 'VideoChat', 'VideoSearch', 'VideoTextInferencer',
    'answer_benchmark', 'answer_questions', 'captions_of_dataset', 'check_videos', 'convert',
    'embed_list', 'exact_benchmark', 'explain', 'find_benchmark', 'find_videos', 'from_pretrained',
    'index_videos', 'init_dialogue', 'init_model', 'judge_benchmark', 'load', 'load_branch',
    'make_shards', 'merge_embedded', 'prepare', 'push_to_hub', 'report_runs', 'save_branch',
    'save_explanation', 'save_pretrained', 'videos_of_dataset', 'write_labels',
]
