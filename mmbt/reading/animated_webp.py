"""Animated WebP, which FFmpeg cannot decode, by Pillow.

Pillow is imported where such a file is met and nowhere else.
"""
from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate
from typing import Any

import av
import numpy as np

from .container import MAX_FRAME_PIXELS
from .facts import VideoReadError

_MAX_FRAMES = 100_000


class AnimatedWebP:
    """The frames of a WebP file; the same face as :class:`.in_order.InOrder`.

    Args:
        path: The file.

    Raises:
        VideoReadError: If it cannot be decoded.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        milliseconds = []
        for number, (image, shown) in enumerate(self._images()):
            if number == 0:
                self.first = _frame(image)
            milliseconds.append(shown)
        self.timed = all(milliseconds)
        starts = [0, *accumulate(milliseconds)]
        if not self.timed:
            starts = [40 * number for number in range(len(starts))]
        self.times = np.array(starts[:-1]) / 1000
        self.last_duration = (starts[-1] - starts[-2]) / 1000
        self.rate = 0.0

    def frames(self, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        """Decode the frames of these numbers, which rise; each number with its frame."""
        left = set(wanted)
        for number, (image, _) in enumerate(self._images()):
            if number in left:
                left.remove(number)
                yield number, _frame(image)
            if not left:
                return

    def _images(self) -> Iterator[tuple[Any, int]]:
        """Each image, and the milliseconds that it is shown."""
        from PIL import Image
        try:
            with Image.open(self.path, formats=('WEBP',)) as image:
                width, height = image.size
                count = getattr(image, 'n_frames', 1)
                if width * height > MAX_FRAME_PIXELS or count > _MAX_FRAMES:
                    raise VideoReadError(f'{self.path} is too large: {count} frames of {width} x '
                                         f'{height}')
                for number in range(count):
                    image.seek(number)
                    image.load()
                    yield image.convert('RGB'), int(image.info.get('duration') or 0)
        except (OSError, ValueError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
            if isinstance(error, VideoReadError):
                raise
            raise VideoReadError(f'{self.path} cannot be decoded: its webp stream is truncated '
                                 f'or damaged ({error})') from error


def _frame(image: Any) -> Any:
    frame = av.VideoFrame.from_ndarray(np.asarray(image), format='rgb24')
    frame.time_base = Fraction(1, 1000)
    return frame
