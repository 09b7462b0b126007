"""Drawing: shapes, backgrounds and frames, antialiased by supersampling."""
from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from .motions import Frame, Pose, sample_trajectory
from .scenes import COLORS, Scene

SUPERSAMPLING = 4
_SUBPIXEL_BITS = 4
OUTLINE = (24, 24, 24)
WHITE = (255, 255, 255)


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    x = 16 * np.sin(t)**3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], 1)


def _star() -> np.ndarray:
    angle = np.arange(10) * np.pi / 5
    radius = np.where(np.arange(10) % 2, 0.46, 1.0)
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], 1)


def _moon() -> np.ndarray:
    """A crescent open to the right: a disc less a disc through its tips at 55 degrees."""
    tip = np.radians(55)
    outer = np.linspace(tip, 2 * np.pi - tip, 32)
    outer = np.stack([np.cos(outer), np.sin(outer)], 1)
    bite_x, bite_radius = 0.62, np.hypot(np.cos(tip) - 0.62, np.sin(tip))
    end = np.arctan2(-np.sin(tip), np.cos(tip) - bite_x)
    inner = np.linspace(end, -2 * np.pi - end, 24)[1:-1]
    inner = np.stack([bite_x + bite_radius * np.cos(inner), bite_radius * np.sin(inner)], 1)
    return np.concatenate([outer, inner])


def _polygons() -> dict[str, np.ndarray]:
    return {
        'triangle': np.array([[0, -1.2], [0.75, 0.6], [-0.75, 0.6]]),
        'arrow': np.array([[0, -1], [0.85, 0], [0.36, 0], [0.36, 1], [-0.36, 1], [-0.36, 0],
                           [-0.85, 0]]),
        'heart': _heart(),
        'star': _star(),
        'moon': _moon(),
        'cross': np.array([[-0.3, -1], [0.3, -1], [0.3, -0.5], [0.85, -0.5], [0.85, 0.1],
                           [0.3, 0.1], [0.3, 1.2], [-0.3, 1.2], [-0.3, 0.1], [-0.85, 0.1],
                           [-0.85, -0.5], [-0.3, -0.5]]),
    }


def _centred(points: np.ndarray) -> np.ndarray:
    """Move a polygon's centre of area to the origin and scale its farthest point to distance 1."""
    after = np.roll(points, -1, 0)
    cross = points[:, 0] * after[:, 1] - after[:, 0] * points[:, 1]
    centre = ((points + after) * cross[:, None]).sum(0) / (3 * cross.sum())
    points = points - centre
    return points / np.linalg.norm(points, axis=1).max()


POLYGONS = {name: _centred(points) for name, points in _polygons().items()}
"""Upright outlines by shape word: (P, 2) x to the right, y down, farthest point at distance 1."""


class Canvas:
    """A square RGB picture drawn at several times its final side.

    Args:
        size: Final side in pixels.
        background: Background word.
        rng: Where the shade and the pattern's phase come from.
    """

    def __init__(self, size: int, background: str, rng: np.random.Generator) -> None:
        self.size = size
        self.side = size * SUPERSAMPLING
        self.pixels = _draw_background(background, self.side, rng)

    def copy(self) -> Canvas:
        """Return an independent canvas with the same content."""
        other = object.__new__(Canvas)
        other.size, other.side, other.pixels = self.size, self.side, self.pixels.copy()
        return other

    def finish(self) -> np.ndarray:
        """Return the picture at its final side, (size, size, 3) uint8 RGB."""
        return cv2.resize(self.pixels, (self.size, self.size), interpolation=cv2.INTER_AREA)

    def polygon(self, points: np.ndarray, color: tuple, alpha: float = 1.0,
                outline: tuple | None = OUTLINE) -> None:
        """Fill a polygon, (P, 2) in fractions of the side, with an optional thin outline."""
        if alpha <= 0:
            return
        fixed = self._fixed(points)
        target = self.pixels if alpha >= 1 else self.pixels.copy()
        cv2.fillPoly(target, [fixed], color, cv2.LINE_AA, _SUBPIXEL_BITS)
        if outline is not None:
            cv2.polylines(target, [fixed], True, outline, self._width(0.014), cv2.LINE_AA,
                          _SUBPIXEL_BITS)
        if alpha < 1:
            cv2.addWeighted(target, alpha, self.pixels, 1 - alpha, 0, dst=self.pixels)

    def line(self, points: np.ndarray, color: tuple, width: float, closed: bool = False) -> None:
        """Draw a line through points, (P, 2) and its width in fractions of the side."""
        cv2.polylines(self.pixels, [self._fixed(points)], closed, color, self._width(width),
                      cv2.LINE_AA, _SUBPIXEL_BITS)

    def _fixed(self, points: np.ndarray) -> np.ndarray:
        scale = self.side * (1 << _SUBPIXEL_BITS)
        return np.round(np.asarray(points) * scale).astype(np.int32).reshape(-1, 1, 2)

    def _width(self, fraction: float) -> int:
        return max(1, round(fraction * self.side))


def _draw_background(name: str, side: int, rng: np.random.Generator) -> np.ndarray:
    """Paint a grey background.

    Args:
        name: Background word.
        side: Side in pixels.
        rng: Where the shade and the pattern's phase come from.

    Returns:
        (side, side, 3) uint8.

    Raises:
        ValueError: the word names no background.
    """
    shade = rng.uniform(-8, 8)
    phase = rng.uniform(0, 1, 2)
    period = side / 4
    y, x = np.indices((side, side)) / period
    if name == 'dark':
        grey = np.full((side, side), 52 + shade)
    elif name == 'light':
        grey = np.full((side, side), 196 + shade)
    elif name == 'striped':
        grey = np.where((x + y + phase[0]) % 1 < 0.5, 100 + shade, 150 + shade)
    elif name == 'checkered':
        odd = (np.floor(x + phase[0]) + np.floor(y + phase[1])) % 2
        grey = np.where(odd, 100 + shade, 150 + shade)
    else:
        raise ValueError(f'unknown background: {name!r}')
    return np.repeat(grey.astype(np.uint8)[..., None], 3, 2)


def outline_of(shape: str, pose: Pose, scale: float = 1.0) -> np.ndarray:
    """Place a shape's outline: (P, 2) in fractions of the side, ``scale`` times its radius."""
    turn = np.radians(pose.angle)
    # With y pointing down, this matrix turns clockwise on the screen.
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return POLYGONS[shape] @ rotation * (pose.radius * scale) + (pose.x, pose.y)


@lru_cache(maxsize=1)
def _circle() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], 1)


def draw_shape(canvas: Canvas, scene: Scene, pose: Pose) -> None:
    """Draw the scene's coloured shape."""
    canvas.polygon(outline_of(scene.shape, pose), COLORS[scene.color], pose.alpha)


def draw_ball(canvas: Canvas, pose: Pose, outline: tuple | None = OUTLINE) -> None:
    """Draw the white ball."""
    canvas.polygon(_circle() * pose.radius + (pose.x, pose.y), WHITE, pose.alpha, outline)


def draw_frame(canvas: Canvas, scene: Scene, frame: Frame) -> None:
    """Draw one frame's shape and ball, whichever is in front last."""
    if frame.ball is not None and not frame.ball_in_front:
        draw_ball(canvas, frame.ball)
    draw_shape(canvas, scene, frame.shape)
    if frame.ball is not None and frame.ball_in_front:
        draw_ball(canvas, frame.ball)


def render_clip(scene: Scene, label: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a random clip of a scene and a motion.

    Args:
        scene: What to show.
        label: Index into ``MOTIONS``.
        size: Side in pixels.
        rng: Where everything that the caption leaves open comes from. An equal state with the
            reversed label gives the same frames backwards.

    Returns:
        (17, size, size, 3) uint8 RGB.
    """
    background = Canvas(size, scene.background, rng)
    frames = []
    for frame in sample_trajectory(label, rng):
        canvas = background.copy()
        draw_frame(canvas, scene, frame)
        frames.append(canvas.finish())
    return np.stack(frames)
