"""Decoded frames as RGB arrays: square pixels, upright."""
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData

# Sizes are rounded to even numbers when a video is made smaller, and the shape of its pixels then
# makes up for it: below this such a picture is not resampled.
_SQUARE = 0.01


def shown_size(width: int, height: int, aspect: Any | None, turns: int) -> tuple[int, int]:
    """Height and width of a picture as shown.

    Args:
        width: Of the decoded frame.
        height: Of the decoded frame.
        aspect: Width of a pixel over its height; None or 0 where unknown.
        turns: Quarter turns.

    Returns:
        (H, W).
    """
    if aspect and aspect > 0 and abs(aspect - 1) > _SQUARE:
        width = max(1, round(width * aspect))
    return (width, height) if turns % 2 else (height, width)


class Orientation:
    """How a frame's display matrix turns it, as FFmpeg's own tools do.

    Attributes:
        turns: Quarter turns counter-clockwise, after the flips.
        flips: Upside down, and left to right, before the turns.
        told: What PyAV says of it, which is not all.
    """

    def __init__(self, frame: Any) -> None:
        self.turns, self.flips = 0, (False, False)
        self.told = frame.rotation
        matrix = _display_matrix(frame)
        if matrix is None:
            return
        a, b, c, d = (float(matrix[place]) for place in (0, 1, 3, 4))
        if abs(a) + abs(d) >= abs(b) + abs(c):
            self.flips = (d < 0, a < 0)
        else:  # (x, y) -> (c y, b x): a picture mirrored at its diagonal, and flipped
            self.turns = 1
            self.flips = (c < 0, b > 0)

    @property
    def degrees(self) -> int:
        """The turn alone, counter-clockwise."""
        down, across = self.flips
        if self.turns:
            return 270 if down else 90
        return 180 if down and across else 0

    def upright(self, picture: np.ndarray) -> np.ndarray:
        """Turn a picture (H, W, 3)."""
        if self.flips[0]:
            picture = picture[::-1]
        if self.flips[1]:
            picture = picture[:, ::-1]
        return np.rot90(picture, self.turns) if self.turns else picture


def new_picture(shape: tuple) -> np.ndarray:
    """Memory for a picture of a shape."""
    return np.empty(shape, np.uint8)


class Converter:
    """Frames of one video to RGB arrays of one size, by FFmpeg's own filters.

    A filter graph is built for the first frame and serves all that have its size and format.

    Args:
        height: Of the pictures, as shown.
        width: The same.
        orientation: Of the first frame.
        allocate: Makes the array that a picture goes to.
    """

    def __init__(self, height: int, width: int, orientation: Orientation,
                 allocate: Callable[[tuple], np.ndarray] = new_picture) -> None:
        self.size = height, width
        self._orientation = orientation
        self._allocate = allocate
        self._graph: Any = None
        self._built_for: tuple | None = None

    def picture(self, frame: Any) -> np.ndarray:
        """Convert a frame to an RGB picture, (H, W, 3) uint8."""
        orientation = self._orientation
        if frame.rotation != orientation.told:
            self._orientation = orientation = Orientation(frame)
        height, width = self.size[::-1] if orientation.turns else self.size
        wanted = frame.width, frame.height, frame.format.name, frame.colorspace, width, height
        if wanted != self._built_for:
            self._graph = _scale_graph(frame, width, height)
            self._built_for = wanted
        self._graph.vpush(frame)
        rgb = self._graph.vpull()
        rows = np.ndarray((rgb.height, rgb.width, 3), np.uint8, rgb.planes[0],
                          strides=(rgb.planes[0].line_size, 3, 1))
        upright = orientation.upright(rows)
        picture = self._allocate(upright.shape)
        np.copyto(picture, upright)  # a view would keep the frame and the filter's buffers
        return picture


def _scale_graph(frame: Any, width: int, height: int) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format.name,
                              time_base=frame.time_base or Fraction(1, 1000))
    scale = graph.add('scale', f'{width}:{height}:flags=bicubic')
    rgb = graph.add('format', 'rgb24')
    graph.link_nodes(source, scale, rgb, graph.add('buffersink')).configure()
    return graph


def _display_matrix(frame: Any) -> np.ndarray | None:
    """The nine numbers of a frame's display matrix; None where it has none.

    They are read from a copy of a few pixels: PyAV ties a frame that was asked for its side data
    to itself, so that it and all buffers of its decoder wait for the garbage collector.
    """
    graph = _scale_graph(frame, 2, 2)
    graph.vpush(frame)
    for data in graph.vpull().side_data:
        if data.type == SideData.DISPLAYMATRIX:
            matrix = np.frombuffer(data, np.int32).copy()
            return matrix if len(matrix) == 9 else None
    return None
