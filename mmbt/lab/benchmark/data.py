"""Time the ways of reading clips on one core, against the released configs' pipeline.

Every way reads the same clip in turn, so that what else the machine does falls on all alike.
"""
import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmengine.registry import DefaultScope

from mmbt.datasets import CaptionedVideos
from mmbt.datasets.shards.layout import MANIFEST, ClipTable
from mmbt.datasets.shards.settings import ShardSettings
from mmbt.datasets.shards.write import make_shards
from mmbt.reading.process import processor_time

from .machine import describe_machine, versions

FRAMES = 8
RESIZE: list[dict] = [
    dict(type='RandomResizedCrop'), dict(type='Resize', scale=(224, 224), keep_ratio=False),
    dict(type='FormatShape', input_format='NCHW')]
# Key frames at most so many frames apart: x264's default, and as files for the web often have.
GROUPS = (250, 30)
STAGES = ('open', 'decode', 'resize', 'format')
STAGE_OF = dict(DecordInit='open', UniformSample='open', DecordDecode='decode', Resize='resize',
                RandomResizedCrop='resize', FormatShape='format', ReadFrames='decode',
                ReadShardFrames='decode')  # these two open and decode in one


def ways(max_offset: int) -> dict[str, list[dict]]:
    """The pipelines to compare."""
    return {
        'released': [dict(type='DecordInit', num_threads=1),
                     dict(type='UniformSample', clip_len=FRAMES), dict(type='DecordDecode'),
                     dict(type='Resize', scale=(-1, 256)), *RESIZE],
        'in process': [dict(type='ReadFrames', num_frames=FRAMES, isolated=False), *RESIZE],
        'exact': [dict(type='ReadFrames', num_frames=FRAMES), *RESIZE],
        'approximate': [dict(type='ReadFrames', num_frames=FRAMES, max_offset=max_offset),
                        *RESIZE],
        'shards': [dict(type='ReadShardFrames', num_frames=FRAMES), *RESIZE],
    }


class Timed:
    """A pipeline that knows how long each of its stages took."""

    def __init__(self, steps: list[dict]) -> None:
        with DefaultScope.overwrite_default_scope('mmaction'):
            self.steps = [(STAGE_OF[step['type']], TRANSFORMS.build(step)) for step in steps]

    def __call__(self, get: Callable[[], dict]) -> dict[str, float]:
        """Read a clip; return the seconds of each stage, and as 'cpu' those of the processor."""
        seconds = dict.fromkeys(STAGES, 0.)
        begun = _cpu_seconds()
        start = time.perf_counter()
        results = get()
        seconds['open'] += time.perf_counter() - start
        for stage, step in self.steps:
            start = time.perf_counter()
            results = step(results)
            seconds[stage] += time.perf_counter() - start
        return dict(seconds, cpu=_cpu_seconds() - begun)


def _cpu_seconds() -> float:
    """Of the processor's time, what this process and its reading process have used."""
    return time.process_time() + processor_time()


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and the libraries that it calls, to one core."""
    threads, cores = torch.get_num_threads(), None
    cv_threads = cv2.getNumThreads()
    if hasattr(os, 'sched_setaffinity'):
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores)})
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv_threads)
        if cores is not None:
            os.sched_setaffinity(0, cores)


def run_data_benchmark(clips: int = 8, repeats: int = 5, seconds: float = 15,
                       max_offset: int = 4) -> dict:
    """Generate clips, read them in every way, and say how long each took.

    Args:
        clips: Clips to generate of each kind.
        repeats: Times that each is read in each way.
        seconds: Length of a clip.
        max_offset: ``ReadFrames``' in the approximate way.

    Returns:
        What :func:`data_as_text` shows.

    Raises:
        ValueError: If there is nothing to time.
    """
    for name, value in (('clips', clips), ('repeats', repeats), ('max_offset', max_offset)):
        if value < 1:
            raise ValueError(f'{name} must be at least 1, got {value}')
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for group in GROUPS:
            rows += _time_kind(Path(folder) / str(group), group, clips, repeats, seconds,
                               max_offset)
    return dict(command='data', machine=describe_machine('cpu'), versions=versions(),
                settings=dict(clips=clips, repeats=repeats, seconds=seconds, frames=FRAMES,
                              size=[336, 596], fps=30, max_offset=max_offset), rows=rows)


def _time_kind(folder: Path, group: int, clips: int, repeats: int, seconds: float,
               max_offset: int) -> list[dict]:
    """Time every way on clips of one kind."""
    folder.mkdir(parents=True)
    names = [f'{number}.mp4' for number in range(clips)]
    for number, name in enumerate(names):
        write_clip(folder / name, seed=number, group=group, seconds=seconds)
    (folder / 'ann.json').write_text(json.dumps({name: [name] for name in names}))
    source = CaptionedVideos(ann_file=str(folder / 'ann.json'), pipeline=[],
                             data_prefix=dict(video=str(folder)))
    make_shards(source, str(folder / 'shards'), ShardSettings())
    table = ClipTable(str(folder / 'shards' / MANIFEST))
    pipelines = {way: Timed(steps) for way, steps in ways(max_offset).items()}
    taken: dict[str, list[dict]] = {way: [] for way in pipelines}
    with one_core():
        for repeat in range(repeats + 1):
            for number, name in enumerate(names):
                for way, pipeline in pipelines.items():
                    np.random.seed(1000 * repeat + number)

                    def get(way: str = way, name: str = name, number: int = number) -> dict:
                        if way == 'shards':
                            return table[number]
                        return dict(filename=str(folder / name), start_index=0, modality='RGB')

                    stages = pipeline(get)
                    if repeat:  # the first time warms up
                        taken[way].append(stages)
    return [summary(way, group, taken) for way in pipelines]


def summary(way: str, group: int, taken: dict[str, list[dict]]) -> dict:
    """A row: medians over all readings, and of ratios to the same reading in another way."""
    totals = {way: [sum(stages[stage] for stage in STAGES) for stages in taken[way]]
              for way in (way, 'released')}
    middle = median(totals[way])
    means = {stage: sum(stages[stage] for stages in taken[way]) for stage in STAGES}
    return dict(way=way, group=group, seconds=middle, least=min(totals[way]),
                clips_per_second=1 / middle,
                gain=median(b / a for a, b in zip(totals[way], totals['released'])),
                cpu=median(stages['cpu'] for stages in taken[way]),
                cpu_of_released=_cpu_ratio(taken, way, 'released'),
                cpu_of_in_process=_cpu_ratio(taken, way, 'in process'),
                share={stage: value / sum(means.values()) for stage, value in means.items()})


def _cpu_ratio(taken: dict[str, list[dict]], way: str, other: str) -> float:
    """The median over the readings of the processor's time in one way by that in another."""
    return median(a['cpu'] / b['cpu'] for a, b in zip(taken[way], taken[other]))


def data_as_text(report: dict) -> str:
    """The report as a table."""
    settings, machine = report['settings'], report['machine']
    lines = [
        f"data: {settings['frames']} frames of H.264 clips of {settings['seconds']:g} s, "
        f"{settings['size'][0]} x {settings['size'][1]}, one core of {machine['cpu']}",
        f"exact: in a process of its own; approximate: so too, within {settings['max_offset']} "
        'frames; shards: 16 frames a clip',
        'CPU: of all processes, ms a clip, and to the same reading as released and in process',
        f"{'way':>12} {'key frames':>10} | ms a clip  least  clips/s   gain |   CPU  "
        'rel.  in p. | ' + ' '.join(f'{stage:>7}' for stage in STAGES)]
    lines += [
        f"{row['way']:>12} {row['group']:>10} | {1e3 * row['seconds']:9.1f} "
        f"{1e3 * row['least']:6.1f} {row['clips_per_second']:8.1f} {row['gain']:5.1f}x | "
        f"{1e3 * row['cpu']:5.1f} {row['cpu_of_released']:5.2f} {row['cpu_of_in_process']:6.3f} | "
        + ' '.join(f"{row['share'][stage]:7.0%}" for stage in STAGES) for row in report['rows']]
    return '\n'.join(lines)


def write_clip(path: Path, seed: int = 0, group: int = 250, seconds: float = 15, fps: int = 30,
               size: tuple[int, int] = (596, 336)) -> Path:
    """Write a clip to time reading on: a picture that pans, a ball that crosses it, some noise.

    H.264 with x264's defaults.

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
