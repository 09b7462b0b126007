"""Video clips to time reading on: a picture that pans, a ball that crosses it, and some noise."""
from pathlib import Path

import cv2
import numpy as np


def write_clip(path: Path, seed: int = 0, group: int = 250, seconds: float = 15, fps: int = 30,
               size: tuple[int, int] = (596, 336)) -> Path:
    """Write an H.264 clip with x264's defaults.

    Args:
        path: Where to.
        seed: Of the picture and the noise.
        group: Frames from a key frame to the next, at most. Defaults to 250, as x264.
        seconds: Length.
        fps: Frames a second.
        size: Width and height.

    Returns:
        ``path``.
    """
    import av
    draw = np.random.default_rng(seed)
    width, height = size
    small = draw.integers(0, 255, (height // 8, width // 4, 3), dtype=np.uint8)
    scene = cv2.resize(small, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    total = round(seconds * fps)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=fps, options=dict(g=str(group)))
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv420p'
        for number in range(total):
            turn = 2 * np.pi * number / total
            left, top = int(width * (0.5 + 0.5 * np.sin(turn))), int(height * np.cos(turn / 4))
            frame = scene[top:top + height, left:left + width].copy()
            cv2.circle(frame, (width * number // total, height // 2), height // 8, (255, 0, 0), -1)
            noise = draw.integers(-4, 5, frame.shape, dtype=np.int16)
            frame = np.clip(frame + noise, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode(None))
    return path
