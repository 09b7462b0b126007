"""Decoding a whole file in its order: slow, and right wherever anything can be right."""
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import av
import numpy as np

from .container import Source, open_source, reason
from .facts import VideoReadError
from .table import MAX_PACKETS, video_packets

# Decoded frames are kept while they fit here; else the file is decoded a second time.
KEPT_BYTES = 2**26
# Between frames of a file that has neither times nor a rate.
_USUAL_SECONDS = 1 / 25
_UNTIMED = -2**63
# Formats without times: what FFmpeg says is made up from a rate.
RAW_FORMATS = {'h261', 'h263', 'h264', 'hevc', 'vvc', 'm4v', 'mpegvideo', 'mjpeg', 'av1', 'obu',
               'vc1', 'cavsvideo', 'dirac', 'yuv4mpegpipe'}


class InOrder:
    """The frames of a file as decoding it from its start gives them.

    Attributes:
        times: (total_frames,) float64 seconds from frame 0.
        timed: False where they are index / rate.
        last_duration: Seconds that the last frame is shown; 0 where unknown.
        rate: Frames a second by the header; 0.0 where unknown.
        first: The first frame.

    Args:
        path: The file.
        note: Is told what was wrong on the way.

    Raises:
        VideoReadError: If no frame can be decoded.
    """

    def __init__(self, path: str, note: Callable[[str], None]) -> None:
        self.path = path
        self._kept: list[Any] | None = []
        source = open_source(path)
        try:
            self._count(source, note)
        finally:
            source.close()

    def _count(self, source: Source, note: Callable[[str], None]) -> None:
        first, last, size = None, None, 0
        presented, decoded = array('q'), array('q')
        for frame in _decode_all(source, note):
            first, last = first or frame, frame
            presented.append(_UNTIMED if frame.pts is None else frame.pts)
            decoded.append(_UNTIMED if frame.dts is None else frame.dts)
            if self._kept is not None:
                self._kept.append(frame)
                size += sum(plane.buffer_size for plane in frame.planes)
                if size > KEPT_BYTES:
                    self._kept = None
        if first is None or last is None:
            raise VideoReadError(
                f'{self.path} cannot be decoded: no frame of its {source.header.codec} stream can '
                'be, it is truncated, damaged or too large')
        self.first = first
        unit, self.rate = source.header.unit, source.header.rate
        times = _rising(presented) if source.header.format not in RAW_FORMATS else None
        if times is None and source.header.format not in RAW_FORMATS:
            times = _rising(decoded)
        self.timed = times is not None
        self.last_duration = float((last.duration or 0) * unit)
        if times is None:
            times, unit = np.arange(len(presented)), 1 / self.rate if self.rate else _USUAL_SECONDS
            self.last_duration = unit
        self.times = (times - times[0]) * unit

    def frames(self, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        """Decode frames.

        Args:
            wanted: Their numbers, rising.

        Yields:
            Each number with its frame, in order.
        """
        if self._kept is not None:
            yield from ((number, self._kept[number]) for number in wanted)
            return
        left = deque(wanted)
        source = open_source(self.path)
        try:
            for number, frame in enumerate(_decode_all(source, lambda text: None)):
                if left and number == left[0]:
                    yield left.popleft(), frame
                if not left:
                    return
        finally:
            source.close()
        raise VideoReadError(f'{self.path} changed while it was read')


def _decode_all(source: Source, note: Callable[[str], None]) -> Iterator[Any]:
    """Every frame that decoding in order gives; packets that cannot be decoded are passed over.

    Args:
        source: Just opened.
        note: Is told, once for each kind, what was passed over.
    """
    broken, count = 0, 0
    packets = video_packets(source)
    ended = False
    while not ended:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            note(f'its packets end early ({reason(error)})')
            packet = None
        ended = packet is None
        try:
            frames = source.decoder.decode(packet)
        except av.error.EOFError:
            break
        except av.error.FFmpegError:
            broken += 1
            continue
        count += len(frames)
        if count > MAX_PACKETS:
            raise VideoReadError(f'{source.path} is too long: more than {MAX_PACKETS:,} frames')
        yield from frames
    if broken:
        note(f'{broken} of its packets cannot be decoded')


def _rising(times: 'array[int]') -> np.ndarray | None:
    """The times as int64 where each is given and later than the one before, else None."""
    found = np.array(times, np.int64)
    is_rising = (found != _UNTIMED).all() and (found[1:] > found[:-1]).all()
    return found if is_rising else None
