"""The words of the moving-shapes world, and which of their combinations each split may show."""
from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

COLORS = {
    'red': (222, 32, 38),
    'green': (36, 158, 60),
    'blue': (38, 72, 228),
    'yellow': (250, 214, 20),
    'pink': (250, 92, 186),
    'cyan': (24, 200, 222),
}
"""Colour words and their RGB values, 0 to 255."""

SHAPES = ('cross', 'heart', 'moon')
BACKGROUNDS = ('dark', 'light', 'striped')

VIDEO_COLORS = ('red', 'green', 'blue', 'yellow')
VIDEO_SHAPES = ('cross', 'heart')
"""The words of training videos where the others (pink, cyan; moon) are held out of them."""

MOTIONS = (
    'moves left',
    'moves right',
    'moves up',
    'moves down',
    'grows',
    'shrinks',
    'turns clockwise',
    'turns counterclockwise',
    'appears',
    'disappears',
    'crosses a white ball to the left',
    'crosses a white ball to the right',
)
"""Motion phrases; the index is the class label, and ``label ^ 1`` is the same motion backwards."""

_CAPTION = re.compile(
    r'a (?P<color>{}) (?P<shape>{})(?: (?P<motion>{}))? on a (?P<background>{}) background'.format(
        *('|'.join(words) for words in (COLORS, SHAPES, MOTIONS, BACKGROUNDS))))


@dataclass(frozen=True)
class Scene:
    """What a picture shows apart from motion: a coloured shape on a background."""

    color: str
    shape: str
    background: str

    def caption(self, motion: str | None = None) -> str:
        """Describe the scene, with its motion where one is given."""
        action = f' {motion}' if motion else ''
        return f'a {self.color} {self.shape}{action} on a {self.background} background'


SCENES = tuple(Scene(*words) for words in product(COLORS, SHAPES, BACKGROUNDS))
"""All 54; the index is the label of what a clip looks like."""


def parse_caption(caption: str) -> tuple[Scene, str | None]:
    """Read a caption back into its scene and motion (None where it names no motion).

    Raises:
        ValueError: the text is not a caption of this world.
    """
    match = _CAPTION.fullmatch(caption)
    if match is None:
        raise ValueError(f'not a caption of the moving-shapes world: {caption!r}')
    return Scene(match['color'], match['shape'], match['background']), match['motion']


def split_scenes(seed: int, num_test: int) -> tuple[list[list[Scene]], list[list[Scene]]]:
    """Divide the scenes of each motion into those for training and those held out for the test.

    A held-out combination of object, background and motion is held out for the reversed motion
    too. A scene that is held out for one motion is trained with others.

    Args:
        seed: Seed of the draw.
        num_test: Number of held-out scenes for each motion.

    Returns:
        The training scenes and the test scenes, each by motion label.

    Raises:
        ValueError: ``num_test`` is negative, or leaves no scene to train on.
    """
    if not 0 <= num_test < len(SCENES):
        raise ValueError(f'num_test must be 0 to {len(SCENES) - 1}, got {num_test}')
    train, test = [], []
    for label in range(len(MOTIONS)):
        order = np.random.default_rng([seed, 101, label // 2]).permutation(len(SCENES))
        test.append([SCENES[which] for which in sorted(order[:num_test])])
        train.append([SCENES[which] for which in sorted(order[num_test:])])
    return train, test


def hold_out_words(scenes: list[list[Scene]]) -> list[list[Scene]]:
    """Keep the scenes of ``VIDEO_COLORS`` and ``VIDEO_SHAPES``.

    Args:
        scenes: The scenes of each motion label.

    Raises:
        ValueError: a motion keeps none.
    """
    kept = [[scene for scene in of_motion
             if scene.color in VIDEO_COLORS and scene.shape in VIDEO_SHAPES]
            for of_motion in scenes]
    for motion, left in zip(MOTIONS, kept):
        if not left:
            raise ValueError(f'no scene of the videos\' words is left to train {motion!r}: '
                             'hold out fewer test scenes')
    return kept


def plan_clips(scenes: list[list[Scene]], count: int,
               rng: np.random.Generator) -> list[tuple[Scene, int]]:
    """Choose ``count`` (scene, motion label) combinations.

    Motions take turns; for each of them its scenes come in a random order that is run through
    completely before any scene comes again.

    Args:
        scenes: The scenes of each motion label.
        count: Number of clips.
        rng: Where the order comes from.
    """
    orders: list[list[int]] = [[] for _ in MOTIONS]
    plan = []
    for index in range(count):
        label = index % len(MOTIONS)
        if not orders[label]:
            orders[label] = rng.permutation(len(scenes[label])).tolist()
        plan.append((scenes[label][orders[label].pop()], label))
    return plan
