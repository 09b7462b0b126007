"""Videos in a browser: those that it plays as they are, and previews of moments of the others."""
import hashlib
import io
import os
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image

from mmbt.datasets import VideoReadError
from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable
from mmbt.reading.facts import VideoFacts
from mmbt.reading.process import probe_isolated, read_isolated, stream_isolated

from .turns import Jobs

CODECS = ('h264', 'vp8', 'vp9', 'av1')
PIXELS = ('yuv420p', 'yuvj420p')
TYPES = {'.mp4': 'video/mp4', '.m4v': 'video/mp4', '.mov': 'video/mp4', '.webm': 'video/webm'}
LONGEST = 30.  # seconds of a preview
TALLEST = 360  # pixels of one
RATE = 12  # frames a second of one
MOST = 200  # previews that are kept
MOST_PIXELS = 2**26  # of a frame
WAITING = 64


class Playable(NamedTuple):
    """What a browser would be given."""

    media_type: str  # '' where it has to be a preview
    seconds: float
    why: str  # in words, where it has to be


class Player:
    """Says what a browser can play, and makes previews of the rest.

    Args:
        folder: Where previews are kept.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._jobs = Jobs(WAITING)
        self._known: OrderedDict[tuple, Playable] = OrderedDict()
        self._made: OrderedDict[str, Path] = OrderedDict()

    def playable(self, path: str) -> Playable:
        """What a browser can do with a video.

        Raises:
            VideoReadError: If it cannot be read.
        """
        status = os.stat(path)
        key = (path, status.st_size, status.st_mtime_ns)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = look_at(
                path, self._jobs.run(lambda: probe_isolated(path)))
            while len(self._known) > 10_000:
                self._known.popitem(last=False)
        return known

    def preview(self, path: str, start: float, end: float) -> Path:
        """A moment of a video as H.264 without sound, 360 pixels high and 30 s long at most.

        Args:
            path: The video.
            start: Of the moment, in seconds.
            end: Of the moment.

        Raises:
            VideoReadError: If it cannot be read.
            Busy: If many wait for theirs.
        """
        status = os.stat(path)
        name = hashlib.sha256(repr((path, status.st_size, status.st_mtime_ns, round(start, 3),
                                    round(end, 3))).encode('utf-8', 'surrogateescape')).hexdigest()
        place = self.folder / f'{name[:32]}.mp4'

        def make() -> Path:
            if not place.exists():
                with whole_file(place) as draft:
                    write_preview(path, start, end, draft)
            self._made[name] = place
            self._made.move_to_end(name)
            while len(self._made) > MOST:
                self._made.popitem(last=False)[1].unlink(missing_ok=True)
            return place

        return self._jobs.run(make)

    def frame(self, path: str, at: float) -> bytes:
        """The frame that a video shows at a time, 360 pixels high at most, as JPEG.

        Raises:
            VideoReadError: If it cannot be read.
            Busy: If many wait for theirs.
        """
        def choose(facts: VideoFacts) -> list[int]:
            shown = int(np.searchsorted(facts.times, at + 1e-6, side='right')) - 1
            return [min(max(shown, 0), facts.total_frames - 1)]

        return to_jpeg(self._jobs.run(
            lambda: read_isolated(path, choose, max_pixels=MOST_PIXELS))[0][0])


def to_jpeg(picture: np.ndarray) -> bytes:
    """A picture (H, W, 3) RGB uint8 as JPEG, 360 pixels high at most."""
    image = Image.fromarray(picture)
    image.thumbnail((4 * TALLEST, TALLEST))
    out = io.BytesIO()
    image.save(out, 'JPEG', quality=80)
    return out.getvalue()


def look_at(path: str, facts: VideoFacts) -> Playable:
    """Whether browsers play a video of these facts as it is."""
    suffix = os.path.splitext(path)[1].lower()
    if suffix in TYPES and facts.codec in CODECS and facts.pixel_format in PIXELS:
        return Playable(TYPES[suffix], facts.seconds, '')
    odd = '' if facts.pixel_format in PIXELS or facts.codec not in CODECS else (
        f' of {facts.pixel_format}')
    return Playable('', facts.seconds,
                    f'not every browser plays {facts.codec}{odd} in {suffix[1:]}')


def write_preview(path: str, start: float, end: float, out: str | os.PathLike) -> None:
    """Write a moment as H.264 in MP4.

    Raises:
        VideoReadError: If nothing of it can be read.
    """
    def choose(facts: VideoFacts) -> list[int]:
        last = facts.seconds if end <= start else min(end, facts.seconds)
        times = np.arange(start, max(min(last, start + LONGEST), start + 1 / RATE), 1 / RATE)
        places = np.searchsorted(facts.times, times + 1e-6, side='right') - 1
        shown[:] = np.clip(places, 0, facts.total_frames - 1).tolist()
        return sorted(set(shown))

    shown: list[int] = []
    pictures: dict[int, av.VideoFrame] = {}
    stream, number = None, 0
    with av.open(os.fspath(out), 'w', format='mp4',
                 options=dict(movflags='faststart')) as container:
        for _, numbers, frames in stream_isolated(path, choose, MOST_PIXELS):
            if stream is None:
                stream = _add_stream(container, *frames[0].shape[:2])
            pictures.update((each, _fitted(frame, stream)) for each, frame in zip(numbers, frames))
            while number < len(shown) and shown[number] in pictures:
                picture = pictures[shown[number]]
                for packet in stream.encode(_timed(picture, number)):
                    container.mux(packet)
                number += 1
            kept = shown[number] if number < len(shown) else None
            pictures = {each: frame for each, frame in pictures.items() if kept is not None
                        and each >= kept}
        if stream is None:
            raise VideoReadError(f'{printable(path)} has no frames to show')
        for packet in stream.encode(None):
            container.mux(packet)


def _add_stream(container: av.container.OutputContainer, height: int, width: int
                ) -> av.video.stream.VideoStream:
    scale = min(1., TALLEST / height)
    stream = container.add_stream('libx264', rate=RATE, options=dict(preset='veryfast', crf='26'))
    stream.width, stream.height = (max(2, int(side * scale) // 2 * 2) for side in (width, height))
    stream.pix_fmt, stream.time_base = 'yuv420p', Fraction(1, RATE)
    return stream


def _fitted(picture: np.ndarray, stream: av.video.stream.VideoStream) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='rgb24')
    return frame.reformat(stream.width, stream.height, 'yuv420p')


def _timed(frame: av.VideoFrame, number: int) -> av.VideoFrame:
    frame.pts, frame.time_base = number, Fraction(1, RATE)
    return frame
