"""An explanation as a short film, H.264 in MP4 as browsers and phones play it."""
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from mmbt.files.atomic import whole_file

from .drawing import FAINT, INK, LINES, draw_lines, overlay, parts_of, scale_of, title_of, where_of
from .explanation import Explanation

ENCODERS = ('libx264', 'libopenh264', 'h264_videotoolbox', 'h264_nvenc')
RATE = 10  # pictures a second
WIDE = 3.6  # inches, of 200 pixels
SECONDS = 0.4, 1.0  # that a frame is shown, at least and at most


def h264_encoder() -> str:
    """The first encoder of H.264 that the installed PyAV has.

    Raises:
        ValueError: If it has none.
    """
    for name in ENCODERS:
        try:
            av.codec.Codec(name, 'w')
        except (av.error.FFmpegError, ValueError):
            continue
        return name
    raise ValueError(f'this PyAV has no encoder of H.264 ({", ".join(ENCODERS)}): install the '
                     'wheel of av from PyPI, or write no film')


def write_film(explanation: Explanation, path: str | os.PathLike) -> None:
    """Write a film: each frame, what its patches add, and where it is on the lines of all frames.

    A frame is shown as long as it stands for in the video, but 0.4 to 1 s.

    Raises:
        ValueError: If there is no encoder.
        OSError: If the file cannot be written.
    """
    seconds = (explanation.end - explanation.start) / len(explanation.times)
    repeat = round(RATE * float(np.clip(seconds, *SECONDS)))
    with whole_file(Path(path)) as draft:
        write_h264(draft, (picture for drawn in draw_film(explanation)
                           for picture in [drawn] * repeat), RATE)


def write_h264(path: str | os.PathLike | BinaryIO, pictures: Iterator[np.ndarray], rate: int,
               quality: int = 21) -> None:
    """Write pictures as a file that plays anywhere.

    Args:
        path: The file, or an open one.
        pictures: (H, W, 3) uint8 RGB each, of one even height and width.
        rate: Pictures a second.
        quality: CRF of x264: lower is better.
    """
    name = h264_encoder()
    options = dict(crf=str(quality), preset='medium', threads='1') if name == 'libx264' else {}
    file: Any = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    at_once = {} if hasattr(file, 'write') else dict(movflags='+faststart')  # by the file's name
    with av.open(file, 'w', format='mp4', options=at_once) as container:
        stream: Any = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(name, rate=rate, options=options)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = 'yuv420p'
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format='rgb24')
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode())


def draw_film(explanation: Explanation) -> Iterator[np.ndarray]:
    """Draw the film's pictures, one a frame: (H, W, 3) uint8, 720 pixels wide."""
    figure = Figure(dpi=200, facecolor='white')
    canvas = FigureCanvasAgg(figure)
    images, cursor = _lay_out(figure, explanation)
    parts, scale = parts_of(explanation), scale_of(explanation)
    for place, time in enumerate(explanation.times):
        shown = explanation.pictures[place]
        maps = [overlay(shown, evidence.patches[place], scale) for _, evidence in parts.values()]
        for image, picture in zip(images, [shown, *maps]):
            image.set_data(picture)
        cursor.set_xdata([time, time])
        canvas.draw()
        drawn = np.asarray(canvas.buffer_rgba())[..., :3]
        yield drawn[:drawn.shape[0] // 2 * 2, :drawn.shape[1] // 2 * 2].copy()


def _lay_out(figure: Figure, explanation: Explanation) -> tuple[list[AxesImage], Line2D]:
    """Title, the frame and its overlays side by side, and the lines below them.

    Returns:
        The pictures, which change, and the line that tells the time.
    """
    parts, title = parts_of(explanation), title_of(explanation, 50)
    high, wide = explanation.pictures.shape[1:3]
    side = (WIDE - 0.16 - 0.06 * len(parts)) / (len(parts) + 1)
    head, tall = 0.46 + 0.15 * title.count('\n'), side * high / wide
    height = round(head + 0.17 + tall + 1.75, 2)
    figure.set_size_inches(WIDE, height)

    def axes(x: float, y: float, width: float, down: float) -> Axes:
        return figure.add_axes((x / WIDE, 1 - (y + down) / height, width / WIDE, down / height))

    words: dict[str, Any] = dict(va='top', parse_math=False)
    figure.text(0.022, 1 - 0.06 / height, title, fontsize=8.5, weight='bold', color=INK, **words)
    figure.text(0.022, 1 - (head - 0.2) / height, where_of(explanation, 58), fontsize=7,
                color=FAINT, **words)
    images = []
    heads = [('', INK), *((name, LINES[key][0]) for key, (name, _) in parts.items())]
    for column, (name, color) in enumerate(heads):
        place = axes(0.08 + column * (side + 0.06), head + 0.17, side, tall)
        place.axis('off')
        place.set_title(name, fontsize=7.5, color=color, weight='bold', pad=3, loc='left')
        images.append(place.imshow(explanation.pictures[0], aspect='auto'))
    chart = axes(0.4, height - 1.33, WIDE - 0.5, 1.0)
    draw_lines(chart, explanation, 7)
    return images, chart.axvline(float(explanation.times[0]), color=INK, linewidth=1, zorder=2)
