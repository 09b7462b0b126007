"""The table of a video's packets: which frames a player shows, and where each is decoded from."""
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from .container import Source, reason
from .facts import VideoReadError

# Packets are kept while they fit here; of larger files only the table is, and they are read twice.
KEPT_BYTES = 2**26
_PACKET_BYTES = 400  # what one takes beside its data
# Ten days at 20 frames a second. A crafted file of a few megabytes can list more.
MAX_PACKETS = 2**24

# What says of each packet when it is shown, and is so in every file that was tried.
FED_FORMATS = {'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm', 'mpegts', 'flv'}
# Codecs of which a packet is one frame, and a keyframe needs nothing before it.
FED_CODECS = {'h264', 'hevc', 'vp8', 'vp9', 'av1', 'mpeg4', 'mpeg2video', 'mpeg1video', 'mjpeg',
              'prores', 'ffv1', 'dnxhd', 'h263', 'flv1', 'png', 'huffyuv', 'ffvhuff', 'rawvideo',
              'utvideo', 'qtrle', 'v210', 'cfhd'}


@dataclass
class PacketTable:
    """Packets in decoding order, and the frames that they hold in the order of showing.

    Attributes:
        pts: (packets,) int64, the time of each packet in units of the stream's.
        is_key: (packets,) bool.
        place: (total_frames,) int64, the packet of each frame shown.
        last_duration: Of the last frame shown, in the stream's units; 0 where unknown.
        packets: All of them; None where they are too large to keep.
    """

    pts: np.ndarray
    is_key: np.ndarray
    place: np.ndarray
    last_duration: int
    packets: list[Any] | None

    def __post_init__(self) -> None:
        self._keys = np.flatnonzero(self.is_key)

    @property
    def times(self) -> np.ndarray:
        """(total_frames,) int64, rising: when each frame is shown, in the stream's units."""
        return self.pts[self.place]

    def key_before(self, frame: int) -> int:
        """The packet to feed a decoder from: the last key at or before a frame, in both orders."""
        place = self.place[frame]
        last = np.searchsorted(self._keys, place, side='right')
        for key in self._keys[:last][::-1]:
            if self.pts[key] <= self.pts[place]:
                return int(key)
        return 0


def make_table(source: Source) -> tuple[PacketTable | None, str]:
    """Read all packets of a file that was just opened.

    Returns:
        None, and why, where packets cannot be trusted and the file has to be decoded in its order.

    Raises:
        VideoReadError: If it holds more packets than can be taken seriously.
    """
    if source.header.format not in FED_FORMATS:
        return None, f'the packets of {source.header.format} are not trusted'
    if source.header.codec not in FED_CODECS:
        return None, f'the packets of {source.header.codec} are not trusted'
    pts, key, shown = array('q'), bytearray(), bytearray()
    durations = array('q')
    packets: list[Any] | None = []
    size = 0
    try:
        for packet in video_packets(source):
            if packet.pts is None or packet.is_corrupt:
                return None, 'a packet has no time' if packet.pts is None else 'a packet is corrupt'
            if len(pts) >= MAX_PACKETS:
                raise VideoReadError(f'{source.path} is too long: more than {MAX_PACKETS:,} frames')
            pts.append(packet.pts)
            durations.append(packet.duration or 0)
            key.append(packet.is_keyframe)
            shown.append(not packet.is_discard and _is_shown(source.header.codec, packet))
            size += packet.size + _PACKET_BYTES
            if packets is not None:
                packets.append(packet)
                if size > KEPT_BYTES:
                    packets = None
    except av.error.FFmpegError as error:
        return None, f'its packets end early ({reason(error)})'
    return _ordered(np.array(pts, np.int64), np.array(key, bool), np.array(shown, bool),
                    np.array(durations, np.int64), packets)


def _ordered(pts: np.ndarray, key: np.ndarray, shown: np.ndarray, durations: np.ndarray,
             packets: list[Any] | None) -> tuple[PacketTable | None, str]:
    if not shown.any():
        return None, 'no packet is shown'
    if not key[0]:
        return None, 'the first packet is no key'
    place = np.flatnonzero(shown)
    place = place[np.argsort(pts[place], kind='stable')]
    if (np.diff(pts[place]) == 0).any():
        return None, 'two packets have one time'
    last = int(durations[place[-1]])
    return PacketTable(pts, key, place, last, packets), ''


def video_packets(source: Source) -> Iterator[Any]:
    """The packets of the stream, without the empty one that PyAV adds."""
    return (packet for packet in source.container.demux(source.stream) if packet.size)


def _is_shown(codec: str, packet: Any) -> bool:
    """False for the frames of VP8 and VP9 that serve others alone, by their own header."""
    if codec == 'vp8':
        return bool(memoryview(packet)[0] & 0x10)
    if codec == 'vp9':
        return _is_vp9_shown(memoryview(packet))
    return True


def _is_vp9_shown(data: memoryview) -> bool:
    if data[-1] & 0xe0 == 0xc0:  # several frames in a packet, of which the last is shown
        return True
    first = data[0]
    bit = 4  # after the marker and the profile
    if first & 0x30 == 0x30:  # profile 3 has a bit more
        bit += 1
    existing = first >> (7 - bit) & 1
    return bool(existing or first >> (7 - bit - 2) & 1)
