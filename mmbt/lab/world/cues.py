"""Still pictures that tell a motion the way drawings do: trails, outlines, arrows, sparkles.

Videos never show these cues, so a model trained on stills knows the words but not the motions.
"""
from __future__ import annotations

import numpy as np

from .motions import Frame, Pose
from .render import OUTLINE, WHITE, Canvas, draw_ball, draw_frame, draw_shape, outline_of
from .scenes import COLORS, MOTIONS, Scene

_TRAIL = ((3.2, 0.14), (2.4, 0.24), (1.6, 0.36), (0.8, 0.5))
"""Ghosts behind a mover: distance in 0.1 of the side times a direction, and opacity."""

_DIRECTIONS = {'left': (-1, 0), 'right': (1, 0), 'up': (0, -1), 'down': (0, 1)}


def render_still(scene: Scene, motion: str | None, size: int,
                 rng: np.random.Generator) -> np.ndarray:
    """Draw a still picture.

    Args:
        scene: What to show.
        motion: A motion phrase to tell by its cue, or None for a plain picture.
        size: Side in pixels.
        rng: Where everything that the caption leaves open comes from.

    Returns:
        (size, size, 3) uint8 RGB.

    Raises:
        ValueError: the motion is none of ``MOTIONS``.
    """
    canvas = Canvas(size, scene.background, rng)
    if motion is None:
        _draw_plain(canvas, scene, rng)
    elif motion not in MOTIONS:
        raise ValueError(f'unknown motion: {motion!r}')
    else:
        verb, *rest = motion.split()
        _CUES[verb](canvas, scene, rest[-1] if rest else verb, rng)
    return canvas.finish()


def _pose(rng: np.random.Generator, low: float, high: float, room: float = 1.0) -> Pose:
    """Draw a pose whose radius times ``room`` stays inside the picture."""
    radius = rng.uniform(low, high)
    x, y = rng.uniform(radius * room, 1 - radius * room, 2)
    angle = rng.uniform(-180, 180) if rng.random() < 0.3 else rng.uniform(-30, 30)
    return Pose(x, y, radius, angle)


def _draw_plain(canvas: Canvas, scene: Scene, rng: np.random.Generator) -> None:
    draw_shape(canvas, scene, _pose(rng, 0.12, 0.28))


def _along(rng: np.random.Generator, radius: float, step: int) -> float:
    """Draw a coordinate that leaves room for a trail behind a mover heading to ``step``."""
    trail = 0.26 if step else 0.0
    low, high = radius + trail * (step > 0), 1 - radius - trail * (step < 0)
    return rng.uniform(low, high)


def _behind(pose: Pose, direction: tuple[int, int], distance: float, alpha: float) -> Pose:
    dx, dy = direction
    return Pose(pose.x - 0.1 * distance * dx, pose.y - 0.1 * distance * dy, pose.radius,
                pose.angle, alpha)


def _draw_move(canvas: Canvas, scene: Scene, word: str, rng: np.random.Generator) -> None:
    dx, dy = _DIRECTIONS[word]
    radius = rng.uniform(0.17, 0.22)
    pose = Pose(_along(rng, radius, dx), _along(rng, radius, dy), radius, rng.uniform(-30, 30))
    _draw_trail(canvas, scene, pose, (dx, dy))
    draw_shape(canvas, scene, pose)
    _draw_signpost(canvas, (dx, dy), WHITE)


def _draw_signpost(canvas: Canvas, direction: tuple[int, int], color: tuple) -> None:
    """Point out of the picture with a wedge at the middle of the edge that something heads for."""
    ahead = np.array(direction)
    aside = ahead[::-1]
    base = 0.5 + 0.34 * ahead
    canvas.polygon(np.stack([base + 0.15 * aside, 0.5 + 0.48 * ahead, base - 0.15 * aside]), color)


def _draw_trail(canvas: Canvas, scene: Scene, pose: Pose, direction: tuple[int, int]) -> None:
    for distance, alpha in _TRAIL:
        ghost = _behind(pose, direction, distance, alpha)
        canvas.polygon(outline_of(scene.shape, ghost), COLORS[scene.color], alpha, None)


def _draw_cross(canvas: Canvas, scene: Scene, word: str, rng: np.random.Generator) -> None:
    dx = _DIRECTIONS[word][0]
    x, ball_x = 0.5 + dx * rng.uniform(-0.05, 0.3), 0.5 - dx * rng.uniform(-0.05, 0.3)
    y = rng.uniform(0.3, 0.7)
    ball_y = y + rng.uniform(0.14, 0.2) * (1 if rng.random() < 0.5 else -1)
    shape = Pose(x, y, rng.uniform(0.14, 0.18), rng.uniform(-30, 30))
    ball = Pose(ball_x, ball_y, rng.uniform(0.09, 0.12))
    _draw_trail(canvas, scene, shape, (dx, 0))
    for distance, alpha in _TRAIL:
        draw_ball(canvas, _behind(ball, (-dx, 0), distance, alpha), None)
    draw_frame(canvas, scene, Frame(shape, ball, bool(rng.random() < 0.5)))
    _draw_signpost(canvas, (dx, 0), COLORS[scene.color])


def _draw_size(canvas: Canvas, scene: Scene, word: str, rng: np.random.Generator) -> None:
    """Outline the sizes to come, around a growing shape, within a shrinking one."""
    if word == 'grows':
        pose = _pose(rng, 0.10, 0.16, room=1.8)
        draw_shape(canvas, scene, pose)
        for scale in (1.45, 1.95):
            canvas.line(outline_of(scene.shape, pose, scale), COLORS[scene.color], 0.025, True)
    else:
        pose = _pose(rng, 0.22, 0.30)
        draw_shape(canvas, scene, pose)
        for scale in (0.66, 0.33):
            canvas.line(outline_of(scene.shape, pose, scale), WHITE, 0.018, True)


def _draw_turn(canvas: Canvas, scene: Scene, word: str, rng: np.random.Generator) -> None:
    """Bend an arrow over the top of the picture, thicker towards its head."""
    pose = _pose(rng, 0.17, 0.24, room=1.2)
    draw_shape(canvas, scene, Pose(pose.x, pose.y, pose.radius, rng.uniform(-180, 180)))
    sign = 1 if word == 'clockwise' else -1

    def at(degrees: float, distance: float) -> np.ndarray:
        """A point ``degrees`` along the way from the top of the picture."""
        angle = np.radians(sign * degrees)
        return np.array([0.5 + distance * np.sin(angle), 0.5 - distance * np.cos(angle)])

    radius, way = 0.4, np.linspace(-70, 50, 16)
    half = np.linspace(0.006, 0.032, len(way))
    outer = [at(d, radius + h) for d, h in zip(way, half)]
    inner = [at(d, radius - h) for d, h in zip(way, half)]
    head = [at(50, radius + 0.1), at(80, radius), at(50, radius - 0.1)]
    canvas.polygon(np.array(outer + head + inner[::-1]), WHITE)


def _draw_appearance(canvas: Canvas, scene: Scene, word: str, rng: np.random.Generator) -> None:
    """Sparkles around what appears; a dashed contour around what disappears."""
    pose = _pose(rng, 0.15, 0.22, room=1.3)
    pose = Pose(pose.x, pose.y, pose.radius, pose.angle, rng.uniform(0.5, 1.0))
    draw_shape(canvas, scene, pose)
    if word == 'appears':
        start = rng.uniform(0, 2 * np.pi)
        for angle in start + np.arange(4) * np.pi / 2:
            distance = pose.radius * 1.2
            _draw_sparkle(canvas, pose.x + distance * np.sin(angle),
                          pose.y - distance * np.cos(angle), 0.10)
    else:
        _draw_dashes(canvas, pose)


def _draw_sparkle(canvas: Canvas, x: float, y: float, radius: float) -> None:
    angle = np.arange(8) * np.pi / 4
    reach = radius * np.where(np.arange(8) % 2, 0.28, 1.0)
    canvas.polygon(np.stack([x + reach * np.sin(angle), y - reach * np.cos(angle)], 1), WHITE)


def _draw_dashes(canvas: Canvas, pose: Pose) -> None:
    radius = pose.radius * 1.22
    for start in np.arange(10) * 2 * np.pi / 10:
        angle = start + np.linspace(0, 2 * np.pi / 18, 5)
        points = np.stack([pose.x + radius * np.sin(angle), pose.y - radius * np.cos(angle)], 1)
        canvas.line(points, OUTLINE, 0.055)
        canvas.line(points, WHITE, 0.03)


_CUES = {
    'moves': _draw_move,
    'crosses': _draw_cross,
    'grows': _draw_size,
    'shrinks': _draw_size,
    'turns': _draw_turn,
    'appears': _draw_appearance,
    'disappears': _draw_appearance,
}
