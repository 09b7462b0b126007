"""One reader of frames: everything that opens a video goes through here."""
from .errors import VideoReadError

__all__ = ['VideoReadError']
