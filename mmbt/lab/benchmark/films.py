"""Films of ten minutes with known moments, made of the embedded world's test clips."""
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.reading import read_frames

from ..world.generate import FPS, write_video

SHORTEST = 4
"""Frames of a pause between two moments at least."""


class Moment(NamedTuple):
    """What a film shows from when to when, in seconds, and nowhere else in any film."""

    film: str
    start: float
    end: float
    caption: str


def make_films(world: Path, folder: Path, films: int = 3, minutes: float = 10,
               seed: int = 0) -> list[Moment]:
    """Write films of all test clips of a world, and ``moments.json`` beside them.

    A clip and the same backwards are in one film, so that what tells them apart is the order of
    their frames. Half of the clips run at half their speed. Between them stands a frame of a
    training clip, which no test caption describes, for as long as chance has it: no moment begins
    on a grid of windows.

    Args:
        world: A folder that :func:`mmbt.lab.world.generate_world` has written.
        folder: Where the films go.
        films: How many.
        minutes: Of each.
        seed: Of order, speeds and pauses.

    Returns:
        The moments, film by film in the order of time.

    Raises:
        FileNotFoundError: If there is no world.
        ValueError: If the clips do not fit into the films.
    """
    if not (world / 'world.json').exists():
        raise FileNotFoundError(f'{world} holds no world: make one with `mmbt prepare world`')
    captions = json.loads((world / 'test.json').read_text())
    pairs = json.loads((world / 'test_pairs.json').read_text())
    fillers = sorted(json.loads((world / 'train.json').read_text()))
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(pairs))
    folder.mkdir(parents=True, exist_ok=True)
    moments: list[Moment] = []
    for number in range(films):
        path = folder / f'film_{number}.mp4'
        names = [name for place in order[number::films] for name in pairs[place]]
        plan = _plan_film(names, fillers, round(minutes * 60 * FPS), world, rng)
        frames: list[np.ndarray] = []
        for name, shot in plan:
            if name is not None:
                moments.append(Moment(str(path), len(frames) / FPS,
                                      (len(frames) + len(shot)) / FPS, captions[name][0]))
            frames += shot
        write_video(path, np.stack(frames))
    with whole_file(folder / 'moments.json') as draft:
        draft.write_text(json.dumps([moment._asdict() for moment in moments], indent=1))
    return moments


def _plan_film(names: Sequence[str], fillers: Sequence[str], length: int, world: Path,
               rng: np.random.Generator) -> Iterator[tuple[str | None, list[np.ndarray]]]:
    """Shots of a film in order: a clip's name, or None for a pause, and its frames."""
    clips = {name: all_frames(world / 'videos' / name) for name in names}
    shuffled = [names[place] for place in rng.permutation(len(names))]
    slow = {name: bool(half) for name, half in
            zip(shuffled, rng.permutation(len(names)) < len(names) // 2)}
    room = length - sum(len(clips[name]) * (1 + slow[name]) for name in names)
    pauses = len(names) + 1
    if room < pauses * SHORTEST:
        raise ValueError(f'{len(names)} clips do not fit into a film of {length / FPS / 60:g} '
                         'minutes: make more films, or longer ones')
    extra = rng.multinomial(room - pauses * SHORTEST, rng.dirichlet(np.ones(pauses)))
    for place, wait in enumerate(extra + SHORTEST):
        still = all_frames(world / 'videos' / str(rng.choice(fillers)))[0]
        yield None, [still] * int(wait)
        if place < len(shuffled):
            name = shuffled[place]
            yield name, [frame for frame in clips[name] for _ in range(1 + slow[name])]


def all_frames(path: Path) -> list[np.ndarray]:
    """The frames of a short video, each (H, W, 3) uint8 RGB."""
    return read_frames(str(path), lambda facts: range(len(facts.times)))[0]
