"""A decoder that is fed from a table of packets; nothing seeks.

A frame is decoded from the last key packet before it. Packets on the way to which no other refers
are left out by the decoder itself (``skip_frame='NONREF'``). Whatever comes out is held against
the table.

Any error of the decoder ends it (``err_detect='explode'``): FFmpeg mends a damaged frame from
others, and those may have been left out. In an open group of H.264 it counts as an error as well
to let go of a frame before the keyframe, which was never fed; a feeder that does not jump has no
such errors.
"""
from collections.abc import Iterator
from typing import Any

import av
import numpy as np

from .container import Source, open_source
from .table import PacketTable, video_packets

# Decoders that can leave out frames to which no other refers, and leave out no others.
_SKIPPING_CODECS = {'h264', 'hevc', 'mpeg2video', 'mpeg4', 'vp8', 'vp9'}


class TableBroken(Exception):
    """A decoder gave other frames than the table of packets promises."""


class Feeder:
    """A decoder, the packets it is fed with, and the frames that come out.

    Args:
        source: As :func:`open_strictly` opened it; its packets may have been read.
        table: Of the file.
        jumps: Begin at the keyframe before each frame; else at the first packet.
    """

    def __init__(self, source: Source, table: PacketTable, jumps: bool = True) -> None:
        self.source, self.table, self.jumps = source, table, jumps
        self._skips = source.header.codec in _SKIPPING_CODECS and not _has_layers(source)
        self._times = table.times
        self._packets = _Packets(source.path, table)
        self._start: int | None = None  # the key packet that the decoder began with
        self._next = 0                     # the packet that is fed next
        self._last = -1                    # the last frame that came out since the start
        self._is_used = False

    def close(self) -> None:
        """Close the file."""
        self._packets.close()
        self.source.close()

    def frames(self, wanted: list[int]) -> Iterator[tuple[int, Any]]:
        """Decode frames.

        Args:
            wanted: Their numbers, rising.

        Yields:
            Each number with its frame, in order.

        Raises:
            TableBroken: If what comes out is not what the table promises.
        """
        places = {int(place) for place in self.table.place[wanted]}
        if places and min(places) < self._next:
            self._start = None  # those already fed may have been left out
        starts = [self._start_for(number) for number in wanted]
        came: dict[int, Any] = {}
        for number, start, following in zip(wanted, starts, [*starts[1:], len(self.table.pts)]):
            if number not in came:
                self._begin(start)
            while number not in came:
                # Where the next one is decoded from further on, nothing more need be fed.
                enough = self._next > self.table.place[number] and following > self._next
                for index, frame in self._feed(places, enough):
                    came[index] = frame
                if number not in came and (self._start is None or self._last > number):
                    raise TableBroken('a frame does not come')
            frame = came.pop(number)
            if frame.is_corrupt:
                raise TableBroken('a frame refers to others that are missing')
            yield number, frame
            came = {index: frame for index, frame in came.items() if index in wanted}

    def around(self, target: int) -> list[tuple[int, Any]]:
        """The frames before and after ``target``, or itself, of those that others refer to.

        Targets must rise from call to call.

        Returns:
            Two at most, with their numbers.

        Raises:
            TableBroken: If what comes out is not what the table promises.
        """
        start = self._start_for(target)
        if self._last >= target:
            self._start = None
        self._begin(start)
        before: list[tuple[int, Any]] = []
        alone = self.table.place[target] == start
        while self._start is not None:
            for index, frame in self._feed({start}, alone and self._next > start):
                if index >= target:
                    return [*before, (index, frame)]
                before = [(index, frame)]
        return before

    def _start_for(self, number: int) -> int:
        return self.table.key_before(number) if self.jumps else 0

    def _begin(self, start: int) -> None:
        """Make the decoder ready for frames that are decoded from the key packet ``start``."""
        if self._start is not None and self._start <= start <= self._next:
            return
        if self._is_used:
            self.source.decoder.flush_buffers()
        self._start, self._next, self._last = start, start, -1

    def _feed(self, places: set, enough: bool) -> list[tuple[int, Any]]:
        """Feed the next packet, or, with ``enough`` or at the end, ask for all that is left.

        ``places`` are the packets that must not be left out. Afterwards ``_start`` is None where
        the decoder has given all.
        """
        decoder, first = self.source.decoder, self.table.pts[self._start]
        packet, self._is_used = None, True
        if not enough and self._next < len(self.table.pts):
            packet = self._packets[self._next]
            if self._skips:
                decoder.skip_frame = 'DEFAULT' if self._next in places else 'NONREF'
            self._next += 1
        try:
            frames = decoder.decode(packet)
        except av.error.FFmpegError as error:
            raise TableBroken('a packet cannot be decoded') from error
        found = []
        for frame in frames:
            if frame.pts is not None and frame.pts < first:
                continue  # it refers to frames before the key packet, and is not wanted
            index = self._frame_at(frame.pts)
            if index <= self._last:
                raise TableBroken('frames come in another order')
            self._last = index
            found.append((index, frame))
        if packet is None:
            self._start = None
        return found

    def _frame_at(self, pts: int | None) -> int:
        if pts is None:
            return -1
        index = int(np.searchsorted(self._times, pts))
        return index if index < len(self._times) and self._times[index] == pts else -1


def open_strictly(path: str, **decoder_options: str) -> Source:
    """Open a video for a feeder; raises as :func:`.container.open_source`."""
    return open_source(path, err_detect='explode', **decoder_options)


class _Packets:
    """The packets of a table: kept, or read from the file once more, where they rise."""

    def __init__(self, path: str, table: PacketTable) -> None:
        self._path, self._kept = path, table.packets
        self._source: Source | None = None
        self._read: Iterator[Any] = iter(())
        self._next = 0

    def __getitem__(self, place: int) -> Any:
        if self._kept is not None:
            return self._kept[place]
        if self._source is None or place < self._next:
            self.close()
            self._source = open_source(self._path)
            self._read, self._next = video_packets(self._source), 0
        try:
            for packet in self._read:
                self._next += 1
                if self._next > place:
                    return packet
        except av.error.FFmpegError as error:
            raise TableBroken('packets end early') from error
        raise TableBroken('packets end early')

    def close(self) -> None:
        if self._source is not None:
            self._source.close()
            self._source = None


def _has_layers(source: Source) -> bool:
    """Whether frames that FFmpeg takes for unused may be used by those of a higher layer.

    HEVC marks a frame as used or not within its own temporal layer.
    """
    if source.header.codec != 'hevc':
        return False
    header = source.decoder.extradata or b''
    return len(header) < 23 or header[0] != 1 or header[21] >> 3 & 7 != 1
