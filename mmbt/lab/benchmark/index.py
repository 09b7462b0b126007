"""How fast an index of moments is on this machine, on clustered vectors of length 1."""
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.search.approximate import TOP, Setting, nearest, setting_of
from mmbt.search.moment_index import MomentIndex
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

A_VIDEO = 500  # windows
CLUSTERS = 2000
SPREAD = 1.  # length of what a vector is beside its cluster's middle


def measure_index(folder: str | Path, windows: int = 1_000_000, width: int = 512,
                  recall: float = .98, queries: int = 30,
                  report: Callable[[str], Any] = print) -> dict[str, Any]:
    """Fill an index, build it, and time what people wait for.

    Args:
        folder: An empty one, or none yet; about 2 kB a window.
        windows: How many.
        width: Channels of an embedding.
        recall: What the approximate index has to reach.
        queries: Over which a median is taken.
        report: Called with a line after each step.

    Returns:
        Seconds by name, on the wall and (``cpu_...``) of all the process's threads, bytes on the
        disk, and what :meth:`.moment_index.MomentIndex.build` says.
    """
    draw = np.random.default_rng(0)
    middles = unit(draw.standard_normal((CLUSTERS, width), np.float32))
    index = MomentIndex.create(folder, width, {})
    found: dict[str, Any] = dict(windows=windows, width=width, cores=os.cpu_count())

    def timed(name: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        value = work()
        found[name] = time.perf_counter() - wall
        found[f'cpu_{name}'] = time.process_time() - cpu
        report(f'{name:>20} {found[name]:10.4f} s, {found[f"cpu_{name}"]:10.4f} s of CPU')
        return value

    def fill() -> None:
        for video in range(-(-windows // A_VIDEO)):
            count = min(A_VIDEO, windows - video * A_VIDEO)
            add(index, f'/videos/{video % 100:02}/{video}.mp4', near(middles, count, draw))
        index.flush()

    timed('fill', fill)
    index = timed('open', lambda: MomentIndex.open(folder))
    asked = near(middles, queries, draw)
    timed('first_exact', lambda: index.search(asked[0], TOP))
    found.update(median_of('exact', index, asked, report))
    found['append'], found['cpu_append'] = append(index, middles, draw)
    found.update(index.build(recall))
    report(f"{found['kind']}: recall@10 {found['recall']:.3f} over {found.get('queries', 0)} "
           f"queries, {found.get('nprobes')} of {found.get('lists')} lists, refine "
           f"{found.get('refine')}, built in {found.get('build_seconds', 0):.0f} s")
    index = MomentIndex.open(folder)
    timed('first_approximate', lambda: index.search(asked[0], TOP))
    found.update(median_of('approximate', index, asked, report))
    found.update(median_of('in_a_folder', index, asked, report, scope='/videos/07'))
    found['append_built'], found['cpu_append_built'] = append(index, middles, draw)
    found['bytes'] = size_of(Path(folder))
    report(f"append of 100: {found['append']:.4f} s, after the build {found['append_built']:.4f} s;"
           f" {found['bytes'] / 1e9:.2f} GB")
    setting = setting_of(Path(folder))
    if setting is not None:
        found['shares'] = by_share(index, setting, found['lists'], asked)
    return found


def median_of(name: str, index: MomentIndex, queries: np.ndarray, report: Callable[[str], Any],
              **options: Any) -> dict[str, float]:
    """Median seconds of a query, and seconds of CPU of one."""
    walls, cpu = [], time.process_time()
    for query in queries:
        begun = time.perf_counter()
        index.search(query, TOP, **options)
        walls.append(time.perf_counter() - begun)
    result = {name: float(np.median(walls)), f'least_{name}': min(walls),
              f'cpu_{name}': (time.process_time() - cpu) / len(queries)}
    report(f'{name:>20} {result[name]:10.4f} s a query (least {min(walls):.4f}), '
           f'{result[f"cpu_{name}"]:.4f} s of CPU')
    return result


def append(index: MomentIndex, middles: np.ndarray, draw: np.random.Generator,
           times: int = 5) -> tuple[float, float]:
    """Median seconds to add and commit a video of 100 windows, and seconds of CPU."""
    walls, cpu = [], time.process_time()
    for number in range(times):
        vectors = near(middles, 100, draw)
        begun = time.perf_counter()
        add(index, f'/videos/new/{time.time_ns()}_{number}.mp4', vectors)
        index.flush()
        walls.append(time.perf_counter() - begun)
    return float(np.median(walls)), (time.process_time() - cpu) / times


def by_share(index: MomentIndex, setting: Setting, lists: int,
             queries: np.ndarray) -> dict[str, float]:
    """Median seconds of Lance's own search by the lists probed."""
    found = {}
    for nprobes in sorted({max(1, lists // 20), max(1, lists // 5), setting.nprobes, lists}):
        walls = []
        for query in queries:
            begun = time.perf_counter()
            nearest(index._moments, setting._replace(nprobes=nprobes), query, TOP, None, ['video'])
            walls.append(time.perf_counter() - begun)
        found[str(nprobes)] = float(np.median(walls))
    return found


def add(index: MomentIndex, path: str, vectors: np.ndarray) -> None:
    """Add a video with windows of four seconds."""
    windows = [Window(2. * number, 2. * number + 4.) for number in range(len(vectors))]
    index.add(VideoRow(path, 1, 1, 2. * len(windows) + 2., len(windows)), windows, vectors)


def near(middles: np.ndarray, count: int, draw: np.random.Generator) -> np.ndarray:
    """(count, E) vectors of length 1, each of a cluster drawn at random."""
    noise = unit(draw.standard_normal((count, middles.shape[1]), np.float32))
    return unit(middles[draw.integers(len(middles), size=count)] + SPREAD * noise)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def size_of(folder: Path) -> int:
    """Bytes of the files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())


def as_table(found: dict[str, Any]) -> str:
    """The times that people wait for, as a small Markdown table."""
    rows = ['| what | milliseconds | of CPU |', '|---|---|---|']
    names = ('open', 'exact', 'approximate', 'in_a_folder', 'append', 'append_built')
    rows += [f'| {name.replace("_", " ")} | {1e3 * found[name]:.1f} | '
             f'{1e3 * found["cpu_" + name]:.1f} |' for name in names]
    return '\n'.join(rows)
