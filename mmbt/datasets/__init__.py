"""Datasets and transforms of video-text pairs and labelled videos."""
from .broken_videos import BrokenVideoPolicy, VideoReadError
from .recognition import LabelledVideos
from .transforms import PackVideoText, ReadFrames, TokenizeText
from .video_text import CaptionedVideos

__all__ = [
    'BrokenVideoPolicy', 'CaptionedVideos', 'LabelledVideos', 'PackVideoText', 'ReadFrames',
    'TokenizeText', 'VideoReadError',
]
