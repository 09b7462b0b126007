"""One reader of frames: everything that opens a video goes through here.

It needs the standard library, NumPy and PyAV alone, so that a process can start with it and
nothing else.
"""
from .errors import VideoReadError
from .facts import CountChanged, VideoFacts
from .files import check_file
from .video import Video, probe, read_frames

__all__ = ['CountChanged', 'Video', 'VideoFacts', 'VideoReadError', 'check_file', 'probe',
           'read_frames']
