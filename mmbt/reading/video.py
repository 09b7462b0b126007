"""A video: what is known of it, and its frames by number."""
from collections.abc import Callable, Sequence
from typing import Any

import av
import numpy as np

from .animated_webp import AnimatedWebP
from .container import MAX_FRAME_PIXELS, Source, reason
from .facts import CountChanged, VideoFacts, VideoReadError
from .feeder import Feeder, TableBroken, open_strictly
from .in_order import InOrder
from .near import near_frames
from .pictures import Converter, Orientation, new_picture, shown_size
from .table import PacketTable, make_table

MAX_PIXELS = 2**28
"""Eight frames of 8K video (7680 x 4320), 0.8 GB: what one video may decode to, if none says."""

# What a decoder or PyAV raises on a damaged file, wherever it is met.
_DECODING_ERRORS = (av.error.FFmpegError, OSError, MemoryError, OverflowError, UnicodeError)


class Video:
    """A video file that is open.

    Frame i is the i-th that a player shows, in the order of showing, after edit lists and
    rotation. They are counted by the file's packets, or, where those cannot be trusted, by
    decoding the file in its order.

    Attributes:
        facts: What is known of it.

    Args:
        path: A local file.
        max_pixels: The most that one :meth:`read` may decode to, width x height x frames. Defaults
            to None: no limit but that of one frame.
        allocate: Makes the array (H, W, 3) uint8 that a picture goes to. Defaults to one of its
            own.

    Raises:
        VideoReadError: If it is missing, empty, too large or cannot be decoded; the message names
            it, its codec and the reason.
    """

    def __init__(self, path: str, max_pixels: int | None = None,
                 allocate: Callable[[tuple], np.ndarray] = new_picture) -> None:
        self.path, self._max_pixels, self._allocate = path, max_pixels, allocate
        self._notes: list[str] = []
        self._table: PacketTable | None = None
        self._feeder: Feeder | None = None
        self._in_order: InOrder | AnimatedWebP | None = None
        self._first: Any = None
        source = open_strictly(path)
        self._header = source.header
        try:
            self._open(source)
        except BaseException as error:
            self.close()
            if isinstance(error, _DECODING_ERRORS):
                raise self._broken(error) from error
            raise
        finally:
            if self._feeder is None or self._feeder.source is not source:
                source.close()

    def _open(self, source: Source) -> None:
        self._check_size(self._header.width, self._header.height, 1)
        self._table, why = make_table(source)
        if self._table is not None:
            self._feeder = Feeder(source, self._table)
            try:
                self._first = self._fed([0], lambda frame: frame)[0]
                self.facts = self._table_facts()
            except TableBroken as error:
                why = str(error)
        if self._first is None:
            self.facts = self._decode_in_order(why)
        self._converter = Converter(self.facts.height, self.facts.width, self._orientation,
                                    self._allocate)

    def __enter__(self) -> 'Video':
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._close_table()
        self._first = self._in_order = None

    def _close_table(self) -> None:
        if self._feeder is not None:
            self._feeder.close()
        self._feeder = self._table = None

    def read(self, frames: Sequence[int], max_offset: int = 0
             ) -> tuple[list[np.ndarray], list[int]]:
        """Decode frames.

        Args:
            frames: Their numbers, in any order, repeated as wished.
            max_offset: Distance in frames from each to the one that may be taken in its place
                because it is cheaper. Defaults to 0: the very frames.

        Returns:
            RGB pictures (H, W, 3) uint8, one for each of ``frames`` (repeated numbers share one),
            and the numbers of those taken.

        Raises:
            CountChanged: If decoding showed that the file holds other frames than ``facts`` said;
                they are set anew, and frames must be chosen again.
            VideoReadError: If they are too many or cannot be decoded.
            ValueError: If the video has no such frame.
        """
        wanted = [int(number) for number in frames]
        if wanted and not 0 <= min(wanted) <= max(wanted) < self.facts.total_frames:
            raise ValueError(f'{self.path} has frames 0 to {self.facts.total_frames - 1}, asked '
                             f'for {min(wanted)} to {max(wanted)}')
        self._check_size(self.facts.width, self.facts.height, len(wanted))
        try:
            return self._read(wanted, max_offset)
        except _DECODING_ERRORS as error:
            raise self._broken(error) from error

    def _read(self, wanted: list[int], max_offset: int) -> tuple[list[np.ndarray], list[int]]:
        once = sorted(set(wanted))
        if self._table is not None and max_offset > 0:
            near = near_frames(self.path, self._table, once, max_offset)
            if near is not None:
                taken = {index: self._converter.picture(frame) for index, frame in
                         dict(near.values()).items()}
                indices = [near[number][0] for number in wanted]
                return [taken[index] for index in indices], indices
        pictures: dict[int, np.ndarray] = {}
        if self._table is not None:
            try:
                pictures = self._fed([number for number in once if number], self._converter.picture)
                if once[:1] == [0]:
                    pictures[0] = self._converter.picture(self._first)
            except TableBroken as error:
                self._give_up_table(str(error))
        if self._in_order is not None:
            pictures = {number: self._converter.picture(frame)
                        for number, frame in self._in_order.frames(once)}
        return [pictures[number] for number in wanted], wanted

    def _fed(self, wanted: list[int], take: Callable[[Any], Any]) -> dict[int, Any]:
        """Decode frames with the feeder, or with one that does not jump; ``take`` of each."""
        assert self._feeder is not None and self._table is not None
        try:
            return {number: take(frame) for number, frame in self._feeder.frames(wanted)}
        except TableBroken:
            if not self._feeder.jumps:
                raise
        self._feeder.close()
        self._feeder = Feeder(open_strictly(self.path), self._table, jumps=False)
        return {number: take(frame) for number, frame in self._feeder.frames(wanted)}

    def _give_up_table(self, why: str) -> None:
        """Decode in order from now on; raise :class:`CountChanged` if that finds other frames."""
        before, self.facts = self.facts, self._decode_in_order(why)
        now = self.facts
        self._converter = Converter(now.height, now.width, self._orientation,
                                    self._allocate)
        if before.total_frames != now.total_frames or not np.allclose(before.times, now.times):
            raise CountChanged(now)

    def _decode_in_order(self, why: str) -> VideoFacts:
        self._close_table()
        self._note(f'decoded in order: {why}')
        found = (AnimatedWebP(self.path) if self._header.format == 'webp_pipe' else
                 InOrder(self.path, self._note))
        self._in_order = found
        self._first = found.first
        return self._facts(found.times, found.timed, found.last_duration, found.rate,
                           in_order=True)

    def _table_facts(self) -> VideoFacts:
        assert self._table is not None
        times, unit = self._table.times, self._header.unit
        return self._facts((times - times[0]) * unit, True, self._table.last_duration * unit,
                           self._header.rate, in_order=False)

    def _facts(self, times: np.ndarray, timed: bool, last: float, rate: float,
               in_order: bool) -> VideoFacts:
        header, first = self._header, self._first
        if last <= 0:
            last = times[-1] / (len(times) - 1) if len(times) > 1 else 1 / rate if rate else 0.0
        seconds = float(times[-1] + last)
        self._orientation = orientation = Orientation(first)
        height, width = shown_size(first.width, first.height, header.aspect,
                                   orientation.turns)
        if height * width > MAX_FRAME_PIXELS:
            raise VideoReadError(f'{self.path} is too large: its frames are shown as {width} x '
                                 f'{height}')
        self._note_end(seconds)
        return VideoFacts(
            total_frames=len(times), times=times, timed=timed, seconds=seconds,
            rate=len(times) / seconds if timed and seconds > 0 else rate, height=height,
            width=width, codec=header.codec, container=header.format,
            pixel_format=first.format.name, rotation=orientation.degrees,
            claimed_frames=header.frames, in_order=in_order, notes=tuple(self._notes))

    def _note_end(self, seconds: float) -> None:
        promised = self._header.seconds
        if promised - seconds > max(1.0, 0.1 * promised):
            self._note(f'ends at {seconds:.1f} s of the {promised:.1f} s that its header promises')

    def _broken(self, error: BaseException) -> VideoReadError:
        return VideoReadError(f'{self.path} cannot be decoded: its {self._header.codec} stream is '
                              f'truncated or damaged ({reason(error)})')

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)

    def _check_size(self, width: int, height: int, num_frames: int) -> None:
        if self._max_pixels is not None:
            check_size(self.path, width, height, num_frames, self._max_pixels)


def check_size(filename: str, width: int, height: int, num_frames: int, max_pixels: int) -> None:
    """Refuse ``num_frames`` pictures that hold more than ``max_pixels`` pixels.

    Raises:
        VideoReadError: If they do.
    """
    if width * height * num_frames > max_pixels:
        raise VideoReadError(
            f'{filename} is too large: {num_frames} frames of {width} x {height} are '
            f'{width * height * num_frames:,} pixels and max_pixels is {max_pixels:,}')


def probe(path: str, max_pixels: int | None = None) -> VideoFacts:
    """What is known of a video, with no more decoded than that takes.

    Raises:
        VideoReadError: As :class:`Video`.
    """
    with Video(path, max_pixels) as video:
        return video.facts


def read_frames(path: str, choose: Callable[[VideoFacts], Sequence[int]], max_offset: int = 0,
                max_pixels: int | None = None
                ) -> tuple[list[np.ndarray], list[int], VideoFacts]:
    """Open a video, choose frames of it and decode them, in this process.

    Args:
        path: A local file.
        choose: From the facts to the numbers of the frames. It is called once more where decoding
            showed that the facts were others; what draws at random has to draw as if it had not
            been called before.
        max_offset: See :meth:`Video.read`.
        max_pixels: See :class:`Video`.

    Returns:
        RGB pictures (H, W, 3) uint8, the numbers of those taken, and the facts.

    Raises:
        VideoReadError: If the file is missing, empty, too large or cannot be decoded.
    """
    with Video(path, max_pixels) as video:
        try:
            pictures, indices = video.read(choose(video.facts), max_offset)
        except CountChanged:
            pictures, indices = video.read(choose(video.facts), max_offset)
        return pictures, indices, video.facts
