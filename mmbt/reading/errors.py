"""What a reader raises, whatever it reads with."""


class VideoReadError(ValueError):
    """A video is missing, empty, cut short, too large or no video at all; the message names it."""
