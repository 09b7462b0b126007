"""One reader of frames: everything that opens a video goes through here.

It needs the standard library, NumPy and PyAV alone, so that a process can start with it and
nothing else.
"""
from .facts import CountChanged, VideoFacts, VideoReadError
from .files import check_file
from .video import MAX_PIXELS, Video, check_size, probe, read_frames

__all__ = ['MAX_PIXELS', 'CountChanged', 'Video', 'VideoFacts', 'VideoReadError', 'check_file',
           'check_size', 'probe', 'read_frames']
