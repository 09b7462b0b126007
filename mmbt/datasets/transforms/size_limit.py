"""A limit on how much an image may unpack to, told from its header."""

from PIL import Image

from mmbt.reading import VideoReadError

# Eight frames of 8K video (7680 x 4320), 0.8 GB.
MAX_PIXELS = 2**28


def check_image_size(filename: str, max_pixels: int | None) -> None:
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
    check_size(filename, width, height, 1, max_pixels)


def check_size(filename: str, width: int, height: int, num_frames: int, max_pixels: int) -> None:
    """Refuse ``num_frames`` pictures that hold more than ``max_pixels`` pixels.

    Raises:
        VideoReadError: If they do.
    """
    if width * height * num_frames > max_pixels:
        raise VideoReadError(
            f'{filename} is too large: {num_frames} frames of {width} x {height} are '
            f'{width * height * num_frames:,} pixels and max_pixels is {max_pixels:,}')
