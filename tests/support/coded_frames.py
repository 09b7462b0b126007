"""Pictures that carry their number so that it survives compression, and clips made of them.

A picture is a grid of 16 x 16 blocks, light for a one and dark for a zero: nine bits of the
number, the same nine inverted, and six blocks that show which way is up. Behind them a pattern
moves, so that frames refer to each other.
"""
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BLOCK, ROWS, COLUMNS, BITS = 16, 4, 6, 9
WIDTH, HEIGHT = COLUMNS * BLOCK, ROWS * BLOCK
_UP = (1, 1, 1, 0, 1, 0)


def picture(number: int) -> np.ndarray:
    """The picture of a number below 512: (64, 96, 3) uint8."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    blocks = np.array(_UP + tuple(bits) + tuple(1 - bit for bit in bits)).reshape(ROWS, COLUMNS)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    pattern = (8 * np.sin((x + 3 * number) / 5) + 8 * np.cos((y - number) / 7))[..., None]
    light = np.kron(blocks, np.ones((BLOCK, BLOCK)))[..., None] * 130 + 60
    tint = np.array([0, 10 * np.sin(number), 12])
    return (light + pattern + tint).clip(0, 255).astype(np.uint8)


def number_of(frame: np.ndarray) -> int | None:
    """The number that an upright picture (H, W, 3) of any size carries; None where it has none."""
    height, width = frame.shape[:2]
    rows = ((np.arange(ROWS) + 0.5) * height / ROWS).astype(int)
    columns = ((np.arange(COLUMNS) + 0.5) * width / COLUMNS).astype(int)
    grey = frame.astype(float).mean(2)
    light = np.array([[grey[max(r - 2, 0):r + 3, max(c - 2, 0):c + 3].mean() for c in columns]
                      for r in rows]).ravel() > 130
    ones, zeros = light[6:6 + BITS], light[6 + BITS:]
    if tuple(light[:6].astype(int)) != _UP or (ones == zeros).any():
        return None
    return int((ones * 2 ** np.arange(BITS)).sum())


@dataclass(frozen=True)
class Clip:
    """A file to make.

    Attributes:
        name (str): Of the file.
        codec (str): PyAV's name of the encoder.
        options (Dict[str, str]): Of the encoder.
        frames (int): How many are encoded.
        rate (Fraction): Frames a second.
        times (Callable, optional): From a frame's number to its milliseconds: a variable rate.
        rotation (int): Degrees that a player turns it counter-clockwise, to be upright.
        pixels (str): The pixel format.
        size (Tuple[int, int]): Width and height.
        format (str, optional): The container's, where the suffix does not say it.
        container (Dict[str, str]): Options of the container.
        change (Callable, optional): From the whole file's path to the one to make of it.
    """

    name: str
    codec: str = 'libx264'
    options: dict[str, str] = field(default_factory=dict)
    frames: int = 36
    rate: Fraction = Fraction(25)
    times: Callable[[int], int] | None = None
    rotation: int = 0
    pixels: str = 'yuv420p'
    size: tuple[int, int] = (WIDTH, HEIGHT)
    format: str | None = None
    container: dict[str, str] = field(default_factory=dict)
    change: Callable[[Path, Path], None] | None = None

    def make(self, folder: Path) -> Path:
        """Encode it into a folder; the path of the file."""
        path = folder / self.name
        if self.change is None:
            encode(self, path)
        else:
            whole = folder / f'whole_{self.name}'
            encode(replace(self, name=whole.name), whole)
            self.change(whole, path)
            whole.unlink()
        return path


_PICTURES: dict[int, np.ndarray] = {}


def _frame(number: int, clip: Clip) -> av.VideoFrame:
    if number not in _PICTURES:
        _PICTURES[number] = picture(number)
    stored = np.ascontiguousarray(np.rot90(_PICTURES[number], -clip.rotation // 90))
    frame = av.VideoFrame.from_ndarray(stored, format='rgb24')
    return frame if clip.size == (WIDTH, HEIGHT) else frame.reformat(*clip.size)


def encode(clip: Clip, path: Path) -> None:
    """Write the frames of a clip to a file."""
    with av.open(str(path), 'w', format=clip.format, options=clip.container) as container:
        stream: Any = container.add_stream(clip.codec, rate=clip.rate)
        stream.width, stream.height = clip.size if clip.rotation % 180 == 0 else clip.size[::-1]
        stream.pix_fmt = clip.pixels
        stream.options = {'threads': '1', **clip.options}
        if clip.rotation:
            stream.set_display_rotation(clip.rotation)
        if clip.times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(clip.frames):
            frame = _frame(number, clip)
            if clip.times is not None:
                frame.pts, frame.time_base = clip.times(number), Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = number, 1 / clip.rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def remux(source: Path, target: Path, choose: Callable[[list[Any]], list[Any]],
          **options: str) -> None:
    """Copy the packets that ``choose`` gives of those in ``source``, without decoding them."""
    with av.open(str(source)) as given, av.open(str(target), 'w', options=options) as container:
        template = given.streams.video[0]
        stream = container.add_stream_from_template(template)
        packets = [packet for packet in given.demux(template) if packet.size]
        for packet in choose(packets):
            packet.stream = stream
            container.mux(packet)


def cut_at(frame: int) -> Callable[[Path, Path], None]:
    """Cut without encoding anew: from the key before a frame on, which is shown at time zero."""
    def change(source: Path, target: Path) -> None:
        def choose(packets: list[Any]) -> list[Any]:
            start = sorted(packet.pts for packet in packets)[frame]
            first = max(place for place, packet in enumerate(packets)
                        if packet.is_keyframe and packet.pts <= start)
            kept = packets[first:]
            for packet in kept:
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
            return kept
        remux(source, target, choose)
    return change


def without(*places: int) -> Callable[[Path, Path], None]:
    """Leave packets out, by their place in decoding order."""
    def change(source: Path, target: Path) -> None:
        remux(source, target, lambda packets: [
            packet for place, packet in enumerate(packets) if place not in places])
    return change


def hiding(place: int) -> Callable[[Path, Path], None]:
    """Mark a packet of VP8 as one that serves others and is not shown itself."""
    def change(source: Path, target: Path) -> None:
        def choose(packets: list[Any]) -> list[Any]:
            data = bytearray(bytes(packets[place]))
            data[0] &= ~0x10
            packets[place].update(bytes(data))
            return packets
        remux(source, target, choose)
    return change


def first_bytes(share: float) -> Callable[[Path, Path], None]:
    """Keep the first bytes of a file, as a download that broke off does."""
    def change(source: Path, target: Path) -> None:
        data = source.read_bytes()
        target.write_bytes(data[:int(len(data) * share)])
    return change


def damaged(share: float, length: int = 40) -> Callable[[Path, Path], None]:
    """Overwrite some bytes in the middle of a file."""
    def change(source: Path, target: Path) -> None:
        data = bytearray(source.read_bytes())
        start = int(len(data) * share)
        data[start:start + length] = (bytes(range(1, 201)) * 9)[:length]
        target.write_bytes(bytes(data))
    return change


def joined_twice(source: Path, target: Path) -> None:
    """The file after itself, so that times start anew in its middle."""
    target.write_bytes(source.read_bytes() * 2)
