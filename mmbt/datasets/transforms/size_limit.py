"""A limit on how much a file may unpack to, told from its header."""
from typing import Any, Optional

from PIL import Image

from mmbt.reading import VideoReadError

# Eight frames of 8K video (7680 x 4320), 0.8 GB.
MAX_PIXELS = 2**28


def check_video_size(filename: str, reader: Any, num_frames: int,
                     max_pixels: Optional[int]) -> None:
    """Refuse a video of which ``num_frames`` frames hold more than ``max_pixels`` pixels.

    Args:
        filename (str): The video, for the message.
        reader (decord.VideoReader): The same, opened.
        num_frames (int): Frames to decode.
        max_pixels (int, optional): None for no limit.

    Raises:
        VideoReadError: If they do.
    """
    if max_pixels is None:
        return
    # A batch of no frames decodes nothing and has the shape that decord has read from the header.
    height, width = reader.get_batch([]).shape[1:3]
    _check(filename, width, height, num_frames, max_pixels)


def check_image_size(filename: str, max_pixels: Optional[int]) -> None:
    """Refuse an image of more than ``max_pixels`` pixels.

    Raises:
        VideoReadError: If it is one.
    """
    if max_pixels is None:
        return
    try:
        with Image.open(filename) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise VideoReadError(f'{filename} is too large: {error}') from error
    except (OSError, ValueError, SyntaxError):
        return  # the decoder says what is wrong
    _check(filename, width, height, 1, max_pixels)


def _check(filename: str, width: int, height: int, num_frames: int, max_pixels: int) -> None:
    if width * height * num_frames > max_pixels:
        raise VideoReadError(
            f'{filename} is too large: {num_frames} frames of {width} x {height} are '
            f'{width * height * num_frames:,} pixels and max_pixels of ReadFrames is '
            f'{max_pixels:,}')
