"""Datasets and transforms of video-text pairs and labelled videos."""
from mmbt.reading import VideoReadError

from .broken_videos import BrokenVideoPolicy
from .pipeline_fit import fit_pipeline
from .recognition import LabelledVideos, SplitVideos
from .shards import ShardedVideos
from .transforms import FixedDraws, PackVideoText, ReadFrames, ReadShardFrames, TokenizeText
from .video_text import CaptionedVideos

__all__ = [
    'BrokenVideoPolicy', 'CaptionedVideos', 'FixedDraws', 'LabelledVideos', 'PackVideoText',
    'ReadFrames', 'ReadShardFrames', 'ShardedVideos', 'SplitVideos', 'TokenizeText',
    'VideoReadError', 'fit_pipeline',
]
