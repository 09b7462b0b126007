"""Time search in videos against open_clip and faiss on frames, written plainly.

The model is one: an open_clip CLIP with weights from chance. Every way takes each video in turn, so
that what else the machine does falls on all alike.
"""
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import open_clip
import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from PIL import Image
from torch.nn.functional import normalize

from mmbt.reading.process import processor_time
from mmbt.search.loaded import LoadedModel, pipeline_of

from .data import write_clip
from .machine import describe_machine, versions

PLAIN = 'open_clip + faiss'
BACKBONES: dict[str, dict] = {'mmbt, frame mean': dict(type='FrameMean'),
                              'mmbt, branch': dict(type='BTAdapter', num_layers=4)}
FRAMES = 12
TEXTS = tuple(f'{number} {thing}' for number in ('one', 'two', 'three', 'no')
              for thing in ('dogs run', 'balls roll', 'cars stop', 'hands wave', 'birds rise'))


class PlainSearch:
    """A frame a second by decord, encoded by open_clip, kept by faiss: nothing else."""

    def __init__(self, arch: str) -> None:
        import faiss
        torch.manual_seed(0)
        model, _, self.preprocess = open_clip.create_model_and_transforms(arch)
        self.model, self.tokenizer = model.eval(), open_clip.get_tokenizer(arch)
        self.index = faiss.IndexFlatIP(open_clip.get_model_config(arch)['embed_dim'])
        self.places: list[tuple[str, float]] = []

    @torch.no_grad()
    def add(self, path: str, batch_size: int = 32) -> None:
        """Index a video."""
        from decord import VideoReader
        video = VideoReader(path, num_threads=1)
        rate = video.get_avg_fps()
        numbers = list(range(0, len(video), round(rate)))
        frames = [self.preprocess(Image.fromarray(frame))
                  for frame in video.get_batch(numbers).asnumpy()]
        for start in range(0, len(frames), batch_size):
            batch = torch.stack(frames[start:start + batch_size])
            self.index.add(normalize(self.model.encode_image(batch)).numpy())
        self.places += [(path, number / rate) for number in numbers]

    @torch.no_grad()
    def search(self, text: str, top: int = 10) -> list[tuple[str, float, float]]:
        """Path, second and cosine of the frames that fit a text, best first."""
        query = normalize(self.model.encode_text(self.tokenizer([text])))
        scores, found = self.index.search(query.numpy(), top)
        return [(*self.places[place], float(score))
                for place, score in zip(found[0], scores[0]) if place >= 0]


def build_ways(arch: str) -> dict[str, Any]:
    """The plain search, and mmbt's with the very same CLIP; empty, each with ``add``, ``search``.

    Args:
        arch: open_clip's name of an architecture.
    """
    ways: dict[str, Any] = {PLAIN: PlainSearch(arch)}
    with tempfile.TemporaryDirectory() as folder:
        weights = os.path.join(folder, 'clip.pth')
        torch.save(ways[PLAIN].model.state_dict(), weights)
        for way, backbone in BACKBONES.items():
            with DefaultScope.overwrite_default_scope('mmaction'):
                model = MODELS.build(dict(
                    type='VideoTextModel', backbone=dict(backbone),
                    trunk=dict(type='OpenCLIPTrunk', arch=arch, pretrained=weights)))
            pipeline = pipeline_of(model.trunk.card, arch, FRAMES)
            ways[way] = LoadedModel(model.eval(), pipeline).videos
    return ways


def measure_search(arch: str = 'ViT-B-16', videos: int = 6, seconds: float = 60,
                   folder: str | None = None, report: Callable[[str], object] = print) -> dict:
    """Index videos in each way, then ask each the same questions.

    Args:
        arch: open_clip's name of an architecture.
        videos: How many are made, unless ``folder`` names some.
        seconds: Of each of them.
        folder: Where .mp4 files lie that are taken in their place.
        report: Called with a line after each video.

    Returns:
        What :func:`search_as_text` shows.

    Raises:
        ValueError: If faiss is missing, or there is nothing to index.
    """
    try:
        import faiss  # noqa: F401
    except ImportError as error:
        raise ValueError('the search that this is held against needs faiss: '
                         'pip install faiss-cpu') from error
    with videos_of(folder, videos, seconds) as paths:
        ways = build_ways(arch)
        added = {way: _Taken() for way in ways}
        asked = {way: _Taken() for way in ways}
        for number, path in enumerate(paths):
            for way, search in ways.items():
                added[way].time(search.add, path)
            report(f'{number + 1} of {len(paths)} videos: ' + ', '.join(
                f'{way} {taken.wall[-1]:.2f} s' for way, taken in added.items()))
        for text in TEXTS:
            for way, search in ways.items():
                asked[way].time(search.search, text)
        rows = [_row(way, added, asked) for way in ways]
    return dict(
        command='search', machine=describe_machine('cpu'), versions=versions(), rows=rows,
        settings=dict(arch=arch, videos=len(paths), seconds=None if folder else seconds,
                      texts=len(TEXTS), frames=FRAMES, load=os.getloadavg()[0]))


@contextmanager
def videos_of(folder: str | None, videos: int, seconds: float) -> Iterator[Sequence[str]]:
    """The videos of a folder, or videos that are made and are gone afterwards."""
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            yield [str(write_clip(Path(made) / f'{number}.mp4', number, seconds=seconds))
                   for number in range(videos)]
            return
        paths = sorted(str(path) for path in Path(folder).glob('*.mp4'))
        if not paths:
            raise ValueError(f'{folder} holds no .mp4: name a folder of videos')
        yield paths


class _Taken:
    """Seconds that calls took: on the wall, and of the processor with what reads for them."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def time(self, work: Callable[[str], object], argument: str) -> None:
        begin, begun = time.perf_counter(), time.process_time() + processor_time()
        work(argument)
        self.wall.append(time.perf_counter() - begin)
        self.cpu.append(time.process_time() + processor_time() - begun)


def _row(way: str, added: dict[str, _Taken], asked: dict[str, _Taken]) -> dict:
    """Medians; the first of each warms up where there are others."""
    def later(values: list[float]) -> list[float]:
        return values[1:] or values

    own, plain = later(added[way].wall), later(added[PLAIN].wall)
    return dict(way=way, video=median(own), least=min(own), cpu=median(later(added[way].cpu)),
                ratio=median(a / b for a, b in zip(own, plain)),
                question=median(later(asked[way].wall)))


def search_as_text(report: dict) -> str:
    """The report as a table."""
    settings, machine = report['settings'], report['machine']
    length = '' if settings['seconds'] is None else f" of {settings['seconds']:g} s"
    return '\n'.join([
        f"search: {settings['arch']}, {settings['videos']} videos{length}, {settings['texts']} "
        f"questions, {machine['threads']} threads of {machine['cpu']}, load {settings['load']:.1f}",
        f'plain: a frame a second; mmbt: windows of {FRAMES} s that overlap by half, a frame a '
        'second in each',
        f"{'way':>18} | s a video  least    CPU  to plain | ms a question",
        *(f"{row['way']:>18} | {row['video']:9.2f} {row['least']:6.2f} {row['cpu']:6.2f} "
          f"{row['ratio']:8.2f}x | {1e3 * row['question']:13.1f}" for row in report['rows'])])
