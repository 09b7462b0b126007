"""What can be said of a file before a decoder sees it: missing, empty, cut short, or a bomb."""
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from .facts import VideoReadError

# Boxes of an mp4 file that hold others, down to the tables of its samples.
_PARENTS = {b'moov', b'trak', b'mdia', b'minf', b'stbl', b'moof', b'traf', b'mvex', b'edts'}
_MAX_BOXES = 200_000
_PLAYLISTS = {b'ffconcat': 'an ffconcat playlist', b'#EXTM3U': 'an HLS playlist',
              b'v=0\n': 'a stream description (SDP)', b'v=0\r': 'a stream description (SDP)'}


def check_file(path: str) -> None:
    """Raise :class:`VideoReadError` for a file that is missing, empty or visibly cut short.

    Refused as well are a playlist, which names other files, and an mp4 file whose header lists
    more frames than the file has bytes: FFmpeg would take memory for them on opening it.

    Raises:
        VideoReadError: With the reason.
    """
    if not os.path.isfile(path):
        raise VideoReadError(f'{path} is ' + (
            'no file, or a link to none' if os.path.lexists(path) else 'missing'))
    try:
        size = os.stat(path).st_size
        with open(path, 'rb') as file:
            head = file.read(4096)
            if size and head[4:8] in (b'ftyp', b'moov', b'mdat', b'free', b'skip', b'wide'):
                _check_boxes(path, file, size)
    except OSError as error:
        raise VideoReadError(f'{path} cannot be read: {error.strerror}') from error
    if size == 0:
        raise VideoReadError(f'{path} is empty (0 bytes)')
    if len(head) >= 12 and head[:4] == b'RIFF' and head[8:12] == b'AVI ':
        declared = struct.unpack('<I', head[4:8])[0] + 8
        if 0 < size < declared < 2**32 - 1:
            raise VideoReadError(f'{path} is truncated: {size} of {declared} bytes')
    if head.startswith(b'PK\x03\x04'):
        raise VideoReadError(f'{path} is no video but a zip archive: unpack it')
    playlist = _playlist(head)
    if playlist is not None:
        raise VideoReadError(f'{path} is no video but {playlist}; playlists are not followed')


def _playlist(head: bytes) -> str | None:
    text = head.lstrip(b'\xef\xbb\xbf \t\r\n')
    for start, name in _PLAYLISTS.items():
        if text.startswith(start):
            return name
    if text.startswith(b'<') and (b'<MPD' in text or b'<SmoothStreamingMedia' in text):
        return 'a DASH or Smooth Streaming manifest'
    return None


def _check_boxes(path: str, file: BinaryIO, size: int) -> None:
    """Refuse an mp4 file without an index, or with one that counts more than it can hold."""
    found, count, handler = set(), 0, b''
    for name, start, end in _boxes(file, 0, size):
        found.add(name)
        if name in (b'hdlr', b'stsz', b'trun') and end - start >= 12:
            file.seek(start)
            content = file.read(12)
            if name == b'hdlr':
                handler = content[8:12]
            else:  # (flags, count) in a fragment, (flags, size of all, count) in a table
                listed = struct.unpack('>III', content)[1 if name == b'trun' else 2]
                # compressed sound has up to some dozens of samples to a byte
                count += listed // (64 if handler == b'soun' else 1)
        if count > size:
            raise VideoReadError(
                f'{path} is damaged: its header lists {count:,} frames in {size:,} bytes')
    if b'meta' in found and not found & {b'moov', b'moof'}:
        raise VideoReadError(f'{path} is a still picture (HEIF or AVIF) and no video')
    if b'mdat' in found and not found & {b'moov', b'moof'}:
        raise VideoReadError(f'{path} has no index (its moov box is missing): the recording or '
                             'the download was cut short')


def _boxes(file: BinaryIO, place: int, end: int, depth: int = 0
           ) -> Iterator[tuple[bytes, int, int]]:
    """Walk the boxes between two places: each one's name, and where its content begins and ends."""
    for _ in range(_MAX_BOXES):
        if place + 8 > end:
            return
        file.seek(place)
        header = file.read(16)
        if len(header) < 8:
            return
        length, name = struct.unpack('>I4s', header[:8])
        content = place + 8
        if length == 1 and len(header) == 16:
            length, content = struct.unpack('>Q', header[8:])[0], place + 16
        elif length == 0:
            length = end - place
        if length < content - place:
            return
        last = min(place + length, end)
        yield name, content, last
        if name in _PARENTS and depth < len(_PARENTS):
            yield from _boxes(file, content, last, depth + 1)
        place += length
