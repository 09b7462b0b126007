"""Trajectories: where the shape and the ball of a clip are in each of its frames.

Only one motion of each time-reversal pair has a trajectory of its own. Its partner is the same list
backwards, so nothing but the order of the frames tells the two apart.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scenes import MOTIONS

NUM_FRAMES = 17
"""Frames in a clip. Sampling 8 segments' centres takes frames 1, 3, ..., 15: symmetric in time."""


@dataclass(frozen=True)
class Pose:
    """Where and how a shape is drawn.

    Attributes:
        x: Centre, as a fraction of the picture's side, from the left.
        y: Centre, as a fraction of the side, from the top.
        radius: Distance from the centre to the outermost point, as a fraction of the side.
        angle: Degrees clockwise from upright.
        alpha: Opacity, 0 to 1.
    """

    x: float
    y: float
    radius: float
    angle: float = 0.0
    alpha: float = 1.0


@dataclass(frozen=True)
class Frame:
    """One frame's moving things: the shape, and the white ball where there is one."""

    shape: Pose
    ball: Pose | None = None
    ball_in_front: bool = False


def sample_trajectory(label: int, rng: np.random.Generator) -> list[Frame]:
    """Draw a random clip of one motion.

    Args:
        label: Index into ``MOTIONS``.
        rng: Where position, speed, size and angle come from.

    Returns:
        ``NUM_FRAMES`` frames. With an equal ``rng`` state, the reversed motion's label,
        ``label ^ 1``, gives the very same frames in the opposite order.
    """
    sampler = _SAMPLERS[label // 2]
    frames = sampler(rng, np.linspace(0.0, 1.0, NUM_FRAMES))
    return frames if label % 2 else frames[::-1]


def _tilt(rng: np.random.Generator) -> float:
    return rng.uniform(-30, 30)


def _inside(rng: np.random.Generator, radius: float) -> float:
    return rng.uniform(radius, 1 - radius)


def _path(rng: np.random.Generator, radius: float, time: np.ndarray) -> np.ndarray:
    """Positions along one axis, moving towards larger values."""
    distance = rng.uniform(0.40, 0.54)
    return rng.uniform(radius, 1 - radius - distance) + distance * time


def _move_right(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    radius, angle = rng.uniform(0.17, 0.22), _tilt(rng)
    y = _inside(rng, radius)
    return [Frame(Pose(x, y, radius, angle)) for x in _path(rng, radius, time)]


def _move_down(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    radius, angle = rng.uniform(0.17, 0.22), _tilt(rng)
    x = _inside(rng, radius)
    return [Frame(Pose(x, y, radius, angle)) for y in _path(rng, radius, time)]


def _shrink(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    small, large, angle = rng.uniform(0.08, 0.12), rng.uniform(0.22, 0.30), _tilt(rng)
    x, y = _inside(rng, large), _inside(rng, large)
    return [Frame(Pose(x, y, radius, angle)) for radius in large + (small - large) * time]


def _turn_counterclockwise(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    radius, start = rng.uniform(0.17, 0.24), rng.uniform(-180, 180)
    x, y = _inside(rng, radius), _inside(rng, radius)
    # 7 to 12 degrees a frame: at most 24 between sampled frames, under half a star's 72.
    total = rng.uniform(7, 12) * (NUM_FRAMES - 1)
    return [Frame(Pose(x, y, radius, angle)) for angle in start - total * time]


def _disappear(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    radius, angle = rng.uniform(0.17, 0.25), _tilt(rng)
    x, y = _inside(rng, radius), _inside(rng, radius)
    length = rng.uniform(0.25, 0.5)
    begin = rng.uniform(0.15, 0.85 - length)
    alphas = np.clip(1 - (time - begin) / length, 0, 1)
    return [Frame(Pose(x, y, radius, angle, alpha)) for alpha in alphas]


def _cross_right(rng: np.random.Generator, time: np.ndarray) -> list[Frame]:
    radius, angle, ball_radius = rng.uniform(0.16, 0.20), _tilt(rng), rng.uniform(0.09, 0.12)
    y = rng.uniform(0.3, 0.7)
    ball_y = y + rng.uniform(0.10, 0.18) * (1 if rng.random() < 0.5 else -1)
    distance, ball_distance = rng.uniform(0.42, 0.58, 2)
    middle, ball_middle = rng.uniform(0.46, 0.54, 2)
    in_front = bool(rng.random() < 0.5)
    return [Frame(Pose(middle + distance * (t - 0.5), y, radius, angle),
                  Pose(ball_middle - ball_distance * (t - 0.5), ball_y, ball_radius), in_front)
            for t in time]


# The second motion of each pair, in the order of MOTIONS.
_SAMPLERS = (_move_right, _move_down, _shrink, _turn_counterclockwise, _disappear, _cross_right)
assert len(_SAMPLERS) * 2 == len(MOTIONS)
