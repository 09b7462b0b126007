"""How fast an index of moments is on this machine, on clustered vectors of length 1."""
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.search.approximate import TOP
from mmbt.search.moment_index import MomentIndex
from mmbt.search.probe import mark_of
from mmbt.search.query import merge
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

from .machine import Memory

A_VIDEO = 100  # windows
CLUSTERS = 2000
SPREAD = 1.  # length of what a vector is beside its cluster's middle
OF_A_SEARCH = 16 * TOP  # windows that a search of ten moments looks at
TEMPERATURE = .005  # of a difference of scores that means nothing
Report = Callable[[str], Any]


class Vectors:
    """Windows that are drawn as they are needed, the same ones each time, and queries like them.

    Args:
        count: Windows.
        width: Channels.
    """

    def __init__(self, count: int, width: int) -> None:
        self.count = count
        self.width = width
        self.middles = unit(np.random.default_rng(0).standard_normal((CLUSTERS, width),
                                                                     np.float32))

    def blocks(self, size: int = A_VIDEO) -> Iterator[np.ndarray]:
        """(at most size, E) float32 at a time."""
        draw = np.random.default_rng(1)
        for start in range(0, self.count, size):
            yield self.near(min(size, self.count - start), draw)

    def queries(self, number: int) -> np.ndarray:
        """(number, E), none of which is a window."""
        return self.near(number, np.random.default_rng(2))

    def near(self, number: int, draw: np.random.Generator) -> np.ndarray:
        """(number, E) vectors of length 1, each of a cluster drawn at random."""
        noise = unit(draw.standard_normal((number, self.width), np.float32))
        return unit(self.middles[draw.integers(CLUSTERS, size=number)] + SPREAD * noise)


def measure_index(folder: str | Path, windows: int = 1_000_000, width: int = 512,
                  recall: float = .98, queries: int = 100,
                  report: Report = print) -> dict[str, Any]:
    """Fill an index, build it, and time what people wait for.

    Args:
        folder: An empty one, or none yet; about 4 kB a window of 512 channels.
        windows: How many.
        width: Channels of an embedding.
        recall: What the approximate index has to reach.
        queries: Over which a median and recall are taken; they choose nothing.
        report: Called with a line after each step.

    Returns:
        Seconds by name, with ``cpu_...``, those of all the process's threads; bytes on the disk and
        of peak memory; and what :meth:`.moment_index.MomentIndex.build` says.
    """
    source = Vectors(windows, width)
    clock = Clock(report)
    found, memory = clock.found, Memory('cpu')
    found.update(windows=windows, width=width, cores=os.cpu_count(), load=os.getloadavg()[0])
    index = MomentIndex.create(folder, width, {})
    clock.once('fill', lambda: fill(index, source))
    clock.once('compact', index.compact)
    found['bytes_filled'] = size_of(Path(folder))
    asked = source.queries(queries)
    index = clock.once('open', lambda: MomentIndex.open(folder))
    clock.once('first exact', lambda: index.search(asked[0], TOP))
    exact = clock.median('exact', lambda query: index.search(query, TOP), asked[:30])
    found['exact_recall'] = share_found(exact, truth_of(index, asked[:30]))
    found['limit'] = read_once(index)
    clock.median('append', lambda rows: append(index, rows), source.near(500, np.random.default_rng(
        3)).reshape(5, 100, width))
    found.update(clock.once('build', lambda: index.build(recall)))
    index = clock.once('open again', lambda: MomentIndex.open(folder))
    clock.once('first approximate', lambda: index.search(asked[0], TOP))
    approximate = clock.median('approximate', lambda query: index.search(query, TOP), asked)
    found['approximate_recall'] = share_found(approximate, truth_of(index, asked))
    clock.median('in a folder', lambda query: index.search(query, TOP, scope='/videos/07'), asked)
    clock.median('a search', lambda query: moments(index, query), asked)
    clock.median('append when built', lambda rows: append(index, rows), source.near(
        500, np.random.default_rng(4)).reshape(5, 100, width))
    mark_of(Path(folder)).unlink(missing_ok=True)
    clock.once('open unknown', lambda: MomentIndex.open(folder))
    found['bytes'] = size_of(Path(folder))
    found['memory'] = memory.peak()['added']
    report(f"{index.describe_search()}; of {queries} queries of the benchmark's own "
           f"{found['approximate_recall']:.3f}; {found['bytes'] / 1e9:.2f} GB on the disk, "
           f"{found['memory'] / 2**30:.2f} GiB of memory")
    return found


class Clock:
    """Times steps, and reports each in a line.

    Attributes:
        found: Seconds by the steps' names.
    """

    def __init__(self, report: Report) -> None:
        self.report = report
        self.found: dict[str, Any] = {}

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """Time a step, and return what it does."""
        return self._timed(name, lambda _: work(), [None])[0]

    def median(self, name: str, work: Callable[[Any], Any], values: Any) -> list:
        """Time a step for each value; the median counts."""
        return self._timed(name, work, list(values))

    def _timed(self, name: str, work: Callable[[Any], Any], values: list) -> list:
        walls, results, cpu = [], [], time.process_time()
        for value in values:
            begun = time.perf_counter()
            results.append(work(value))
            walls.append(time.perf_counter() - begun)
        cpu = (time.process_time() - cpu) / len(values)
        self.found.update({name: float(np.median(walls)), f'least {name}': min(walls),
                           f'cpu {name}': cpu})
        self.report(f'{name:>20} {self.found[name]:10.4f} s (least {min(walls):.4f}), '
                    f'{cpu:.4f} s of CPU; load {os.getloadavg()[0]:.1f}')
        return results


def fill(index: MomentIndex, source: Vectors) -> None:
    """Add all windows as videos of :data:`A_VIDEO`, in a hundred folders."""
    for video, block in enumerate(source.blocks()):
        add(index, f'/videos/{video % 100:02}/{video}.mp4', block)
    index.flush()


def append(index: MomentIndex, vectors: np.ndarray) -> None:
    """Add a video and commit it."""
    add(index, f'/videos/new/{time.time_ns()}.mp4', vectors)
    index.flush()


def add(index: MomentIndex, path: str, vectors: np.ndarray) -> None:
    """Add a video with windows of four seconds."""
    windows = [Window(2. * number, 2. * number + 4.) for number in range(len(vectors))]
    index.add(VideoRow(path, 1, 1, 2. * len(windows) + 2., len(windows)), windows, vectors)


def moments(index: MomentIndex, query: np.ndarray) -> list:
    """Ten moments, as a search makes them of windows once the text is a vector."""
    return merge(index.search(query, OF_A_SEARCH), lambda path: index.scores(path, query), TOP,
                 TEMPERATURE)


def truth_of(index: MomentIndex, queries: np.ndarray) -> list[set]:
    """The best ten windows of each query, by one pass over all vectors."""
    allowed, paths, _ = index._allowed(None)
    rows = index._exact.truth(queries, TOP, allowed)
    found = index._moments.data._take_rows(rows.reshape(-1).tolist(), columns=['video', 'start'])
    keys = [(paths[video], start) for video, start in zip(found['video'].to_pylist(),
                                                          found['start'].to_pylist())]
    return [set(keys[start:start + TOP]) for start in range(0, len(keys), TOP)]


def share_found(answers: list, truth: list[set]) -> float:
    """Recall of the best ten."""
    hits = sum(len({(each.path, each.start) for each in found} & wanted)
               for found, wanted in zip(answers, truth))
    return hits / (TOP * len(truth))


def read_once(index: MomentIndex) -> float:
    """Least seconds to read once the bytes that an exact query reads: the machine's own limit."""
    parts = [part.matrix for _, part in index._exact.parts('embedding', False)]
    least = np.inf
    for _ in range(5):
        begun = time.perf_counter()
        for matrix in parts:
            flat = matrix.reshape(-1)
            flat[:len(flat) // 8 * 8].view(np.int64).max(initial=0)
        least = min(least, time.perf_counter() - begun)
    return float(least)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
