"""What is known of a video before its frames are wanted, or that it cannot be read."""
from dataclasses import dataclass

import numpy as np


class VideoReadError(ValueError):
    """A video is missing, empty, cut short, too large or no video at all; the message names it."""


@dataclass(frozen=True)
class VideoFacts:
    """What a video file holds.

    Attributes:
        total_frames: Frames that a player shows.
        times: (total_frames,) float64, the seconds at which each is shown, counted from frame 0,
            rising.
        timed: False where the file has no times; ``times`` are then index / rate, or index / 25
            without a rate.
        seconds: From the start of the first frame to the end of the last.
        rate: Frames a second, on average; 0.0 where unknown.
        height: As shown: pixels are square and the picture is turned upright.
        width: The same.
        codec: FFmpeg's name of it.
        container: FFmpeg's name of it.
        pixel_format: FFmpeg's name of it, of the first frame.
        rotation: Degrees by which pictures are turned counter-clockwise to be upright.
        claimed_frames: The count in the header; None where it has none.
        in_order: The frames come from a decode of the whole file in its order.
        notes: What a user may want to know, each a part of a sentence.
    """

    total_frames: int
    times: np.ndarray
    timed: bool
    seconds: float
    rate: float
    height: int
    width: int
    codec: str
    container: str
    pixel_format: str
    rotation: int
    claimed_frames: int | None
    in_order: bool
    notes: tuple[str, ...] = ()


class CountChanged(Exception):
    """The table of a file's packets did not hold, so that frames must be chosen anew.

    Attributes:
        facts: What decoding the file in its order found.
    """

    def __init__(self, facts: VideoFacts) -> None:
        super().__init__(facts)
        self.facts = facts

    def __str__(self) -> str:
        return f'the file holds {self.facts.total_frames} frames, not what its packets promised'
