"""Write the moving-shapes world to disk."""
from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.disk_errors import named
from mmbt.files.lock import Lock
from mmbt.files.sources import digest

from .cues import render_still
from .motions import NUM_FRAMES
from .render import render_clip
from .scenes import MOTIONS, SCENES, Scene, hold_out_words, plan_clips, split_scenes

FPS = 8
CUED_SHARE = 0.7
"""Share of the stills that tell a motion."""

_TRAIN, _TEST, _STILLS = 1, 2, 3
_PLAN = 1 << 31

Progress = Callable[[int, int], None]


def generate_world(root: str | os.PathLike, seed: int = 0, train: int = 2000, test: int = 240,
                   stills: int = 8000, size: int = 64, workers: int = 2,
                   held_out_words: bool = False, progress: Progress | None = None) -> bool:
    """Write the videos, stills and annotations of a world, unless they are there already.

    ========================  ==================================================================
    ``videos/*.mp4``          17 frames each, 8 a second, H.264, every one a key frame
    ``stills/*.png``          pictures that tell motions by drawn cues, or tell none
    ``train.json``            ``{file: [caption]}``, MSR-VTT's prepared form; also ``test.json``
    ``stills.json``           the same for the pictures
    ``train_list.txt``        ``file label`` lines, Kinetics' list form; also ``test_list.txt``
    ``classes.txt``           the motions in the order of their labels
    ``test_scenes_list.txt``  ``file label`` lines: what a test video looks like, motion aside
    ``scenes.txt``            the 54 captions without a motion, in the order of these labels
    ``test_pairs.json``       ``[[file_a, file_b], ...]``: b's frames are a's backwards
    ``world.json``            the request, and what drew it; written last
    ========================  ==================================================================

    No (object, background, motion) combination of the test is in the training videos or stills.

    With ``held_out_words``, pink, cyan and moons are in stills and test videos alone: what a model
    knows of them, it knows from stills, and training on videos may make it forget.

    Args:
        root: Folder to write to; made if missing.
        seed: Seed of everything random. Equal requests give equal pictures and annotations.
        train: Number of training videos.
        test: Number of test videos, a multiple of the number of motions.
        stills: Number of still pictures.
        size: Side of all pictures in pixels, a multiple of 32: decord cannot decode batches of
            some others, 48 among them.
        workers: Number of threads.
        held_out_words: Whether training videos show ``VIDEO_COLORS`` and ``VIDEO_SHAPES`` only.
        progress: Called with the number of items done and the number of all items.

    Returns:
        Whether anything was written: False if ``root`` holds just this world.

    Raises:
        ValueError: a count is negative, ``test`` is not a multiple of the number of motions or
            leaves a motion no scene to train on, or ``size`` is no multiple of 32.
        Locked: another process writes this world.
        OSError: a file cannot be written.
    """
    request = {'name': 'moving_shapes', **_drawn_by(), 'seed': seed, 'train': train,
               'test': test, 'stills': stills, 'size': size, 'frames': NUM_FRAMES, 'fps': FPS,
               'held_out_words': held_out_words}
    _check(request)
    root = Path(root)
    if _is_complete(root, request):
        return False
    train_scenes, test_scenes = split_scenes(seed, test // len(MOTIONS))
    video_scenes = hold_out_words(train_scenes) if held_out_words else train_scenes
    train_plan = plan_clips(video_scenes, train, _rng(seed, _TRAIN))
    test_plan = [(scene, label) for first in range(0, len(MOTIONS), 2)
                 for scene in test_scenes[first] for label in (first, first + 1)]
    still_plan = _plan_stills(train_scenes, stills, _rng(seed, _STILLS))
    with Lock(root / 'world.lock', str(root)):
        if _is_complete(root, request):  # by now
            return False
        _write_world(root, request, (train_plan, test_plan, still_plan), workers, progress)
    return True


def _write_world(root: Path, request: dict, plans: tuple[list, list, list], workers: int,
                 progress: Callable[[int, int], object] | None) -> None:
    """Write what :func:`generate_world` says, in the place of what is there."""
    seed, size = request['seed'], request['size']
    train_plan, test_plan, still_plan = plans
    _clear(root)
    tasks = [(write, index, item)
             for write, plan in ((_write_train, train_plan), (_write_pair, test_plan[::2]),
                                 (_write_still, still_plan))
             for index, item in enumerate(plan)]
    with ThreadPoolExecutor(max(1, workers)) as pool:
        written = pool.map(lambda task: task[0](root, seed, *task[1:], size), tasks)
        for done, _ in enumerate(written, start=1):
            if progress is not None:
                progress(done, len(tasks))

    _write_clip_annotations(root, 'train', train_plan)
    _write_clip_annotations(root, 'test', test_plan)
    _write_json(root / 'stills.json', {_still_name(i): [scene.caption(motion)]
                                       for i, (scene, motion) in enumerate(still_plan)})
    _write_json(root / 'test_pairs.json', [[_clip_name('test', i), _clip_name('test', i + 1)]
                                           for i in range(0, request['test'], 2)])
    (root / 'classes.txt').write_text('\n'.join(MOTIONS) + '\n')
    (root / 'scenes.txt').write_text(''.join(f'{scene.caption()}\n' for scene in SCENES))
    _write_labels(root / 'test_scenes_list.txt',
                  {_clip_name('test', index): SCENES.index(scene)
                   for index, (scene, _) in enumerate(test_plan)})
    _write_json(root / 'world.json', request)


def _drawn_by() -> dict:
    """What the pictures depend on: a world drawn by anything else is generated anew."""
    here = Path(__file__).parent
    return {'sources': digest(here.glob('*.py'), here),
            'libraries': {'numpy': np.__version__, 'opencv': cv2.__version__, 'av': av.__version__}}


def write_video(path: Path, frames: np.ndarray) -> None:
    """Encode frames as H.264, each by itself and with one constant quantizer.

    Reversed frames therefore decode to exactly the reversed video, and no residue of earlier
    frames betrays the direction of time.

    Args:
        path: An ``.mp4`` file.
        frames: (T, H, W, 3) uint8 RGB.

    Raises:
        OSError: the file cannot be written.
    """
    height, width = frames.shape[1:3]
    options = {'qp': '12', 'g': '1', 'bf': '0', 'preset': 'veryfast', 'threads': '1'}
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, 'yuv444p'
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format='rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode())


def _check(request: dict) -> None:
    for name in ('seed', 'train', 'test', 'stills'):
        if request[name] < 0:
            raise ValueError(f'{name} must not be negative, got {request[name]}')
    if request['test'] % len(MOTIONS):
        raise ValueError(f"test must be a multiple of {len(MOTIONS)}, got {request['test']}")
    if request['size'] <= 0 or request['size'] % 32:
        raise ValueError(f"size must be a multiple of 32, got {request['size']}")


def _is_complete(root: Path, request: dict) -> bool:
    try:
        return json.loads((root / 'world.json').read_text()) == request
    except (FileNotFoundError, json.JSONDecodeError):
        return False


def _clear(root: Path) -> None:
    """Make the folders, and remove the pictures of an earlier world."""
    (root / 'world.json').unlink(missing_ok=True)
    for folder in ('videos', 'stills'):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for pattern in ('videos/train_*.mp4', 'videos/test_*.mp4', 'stills/still_*.png'):
        for path in root.glob(pattern):
            path.unlink()


def _rng(seed: int, split: int, index: int = _PLAN) -> np.random.Generator:
    return np.random.default_rng([seed, split, index])


def _clip_name(split: str, index: int) -> str:
    return f'{split}_{index:05d}.mp4'


def _still_name(index: int) -> str:
    return f'still_{index:05d}.png'


def _plan_stills(scenes: list[list[Scene]], count: int,
                 rng: np.random.Generator) -> list[tuple[Scene, str | None]]:
    cued = round(count * CUED_SHARE)
    plan: list[tuple[Scene, str | None]]
    plan = [(scene, MOTIONS[label]) for scene, label in plan_clips(scenes, cued, rng)]
    plan += [(scene, None) for scene, _ in plan_clips(scenes, count - cued, rng)]
    return [plan[index] for index in rng.permutation(count)]


def _write_train(root: Path, seed: int, index: int, item: tuple[Scene, int], size: int) -> None:
    frames = render_clip(*item, size, _rng(seed, _TRAIN, index))
    write_video(root / 'videos' / _clip_name('train', index), frames)


def _write_pair(root: Path, seed: int, index: int, item: tuple[Scene, int], size: int) -> None:
    frames = render_clip(*item, size, _rng(seed, _TEST, index))
    write_video(root / 'videos' / _clip_name('test', 2 * index), frames)
    write_video(root / 'videos' / _clip_name('test', 2 * index + 1), frames[::-1])


def _write_still(root: Path, seed: int, index: int, item: tuple[Scene, str | None],
                 size: int) -> None:
    picture = render_still(*item, size, _rng(seed, _STILLS, index))
    path = root / 'stills' / _still_name(index)
    _, png = cv2.imencode('.png', picture[..., ::-1])
    with named(path):
        path.write_bytes(png.tobytes())


def _write_clip_annotations(root: Path, split: str, plan: list[tuple[Scene, int]]) -> None:
    names = [_clip_name(split, index) for index in range(len(plan))]
    _write_json(root / f'{split}.json', {name: [scene.caption(MOTIONS[label])]
                                         for name, (scene, label) in zip(names, plan)})
    _write_labels(root / f'{split}_list.txt',
                  {name: label for name, (_, label) in zip(names, plan)})


def _write_labels(path: Path, labels: dict[str, int]) -> None:
    path.write_text(''.join(f'{name} {label}\n' for name, label in labels.items()))


def _write_json(path: Path, content: object) -> None:
    """Write a file that is either complete or absent."""
    with whole_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1) + '\n')
