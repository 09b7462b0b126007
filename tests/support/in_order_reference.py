"""What a file's frames are: FFmpeg decodes it in its order, and its own filters make them RGB."""
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np


@dataclass
class Reference:
    """All frames of a file.

    Attributes:
        frames (List[np.ndarray]): (H, W, 3) uint8 each, upright.
        seconds (List[Optional[float]]): The time of each as the decoder gives it.
    """

    frames: list[np.ndarray]
    seconds: list[float | None]


def decode_in_order(path: Path) -> Reference:
    """Decode every frame of a file whose pixels are square, passing over damaged packets."""
    found = Reference([], [])
    graph: Any = None
    for frame in _frames(path):
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(width=frame.width, height=frame.height,
                                      format=frame.format.name, time_base=frame.time_base)
            graph.link_nodes(
                source, graph.add('scale', f'{frame.width}:{frame.height}:flags=bicubic'),
                graph.add('format', 'rgb24'), graph.add('buffersink')).configure()
        graph.vpush(frame)
        found.frames.append(np.rot90(graph.vpull().to_ndarray().copy(), frame.rotation // 90))
        found.seconds.append(frame.time)
    return found


def _frames(path: Path) -> Iterator[Any]:
    with av.open(str(path), metadata_errors='ignore') as container:
        stream = container.streams.best('video')
        stream.codec_context.thread_count = 1
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            yield from frames
