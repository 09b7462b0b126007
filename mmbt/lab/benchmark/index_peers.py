"""What others do with the same vectors: a plain product in NumPy, and faiss."""
import functools
import importlib
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.search.approximate import TOP

from .index import Clock, Report, Vectors, size_of
from .machine import Memory

PEERS = ('numpy', 'faiss-flat', 'faiss-ivf', 'faiss-hnsw')
MOST = {'faiss-hnsw': 100_000}  # windows, as its graph takes long to make
ENOUGH = .98
QUERIES = 100


def measure_peer(name: str, source: Vectors, folder: Path, report: Report) -> dict[str, Any]:
    """Time a peer as :func:`.index.measure_index` does the index.

    A peer that keeps one file is opened by reading it, and an append is durable once the file is
    written again.

    Args:
        name: One of :data:`PEERS`.
        source: The windows.
        folder: For its file; removed afterwards.
        report: Called with a line after each step.
    """
    count = min(source.count, MOST.get(name, source.count))
    source = Vectors(count, source.width) if count < source.count else source
    folder.mkdir(parents=True)
    clock, memory = Clock(lambda line: report(f'{name} {line}')), Memory('cpu')
    vectors: np.ndarray = np.empty((count, source.width), np.float32)
    for start, block in zip(range(0, count, 2**14), source.blocks(2**14)):
        vectors[start:start + len(block)] = block
    queries = source.queries(QUERIES)
    truth = exact_truth(vectors, queries)
    peer: Any = (NumpyPeer if name == 'numpy' else FaissPeer)(name, folder)
    clock.once('build', functools.partial(peer.build, vectors))
    found = dict(name=name if count == source.count and name not in MOST
                 else f'{name}, {count:,} of them', bytes=size_of(folder))
    del vectors
    clock.once('open', peer.open)
    if name in ('faiss-ivf', 'faiss-hnsw'):
        peer.tune(queries[:QUERIES // 2], truth[:QUERIES // 2])
    half = QUERIES // 2  # the other chose the setting
    answers = clock.median('query', peer.search, queries[half:])
    found['recall'] = recall_of(np.stack(answers), truth[half:])
    clock.median('append', peer.append, source.near(300, np.random.default_rng(3)).reshape(
        3, 100, source.width))
    found.update(clock.found, memory=memory.peak()['added'])
    shutil.rmtree(folder)
    report(f'{name}: recall@10 {found["recall"]:.3f} on {half} held-out queries{peer.setting}')
    return found


def exact_truth(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """(Q, 10) places of the best ten."""
    found = []
    for query in queries:
        scores = vectors @ query
        found.append(np.argpartition(-scores, TOP)[:TOP])
    return np.stack(found)


def recall_of(found: np.ndarray, truth: np.ndarray) -> float:
    """Share of the best ten that are among those found."""
    hits = sum(len(set(ours.tolist()) & set(theirs.tolist())) for ours, theirs in zip(found, truth))
    return hits / truth.size


class NumpyPeer:
    """float16 in one .npy file, held as float32 and multiplied."""

    setting = ''

    def __init__(self, name: str, folder: Path) -> None:
        self.path = folder / 'vectors.npy'
        self.vectors: np.ndarray = np.zeros((0, 0), np.float32)

    def build(self, vectors: np.ndarray) -> None:
        """Write the file."""
        np.save(self.path, vectors.astype(np.float16))

    def open(self) -> None:
        """Read it."""
        self.vectors = np.load(self.path).astype(np.float32)

    def search(self, query: np.ndarray) -> np.ndarray:
        """(10,) places."""
        scores = self.vectors @ query
        best = np.argpartition(-scores, TOP)[:TOP]
        return best[np.argsort(-scores[best])]

    def append(self, vectors: np.ndarray) -> None:
        """Add rows, and write the file again."""
        self.vectors = np.concatenate([self.vectors, vectors])
        self.build(self.vectors)


class FaissPeer:
    """An index of faiss in one file."""

    def __init__(self, name: str, folder: Path) -> None:
        try:
            self.faiss: Any = importlib.import_module('faiss')
        except ImportError:
            raise ValueError(f'the peer {name} needs faiss: pip install faiss-cpu') from None
        self.name = name
        self.path = str(folder / 'index.faiss')
        self.index: Any = None
        self.setting = ''

    def build(self, vectors: np.ndarray) -> None:
        """Train, add and write."""
        faiss, (count, width) = self.faiss, vectors.shape
        inner = faiss.METRIC_INNER_PRODUCT
        if self.name == 'faiss-flat':
            self.index = faiss.IndexFlatIP(width)
        elif self.name == 'faiss-hnsw':
            self.index = faiss.IndexHNSWFlat(width, 32, inner)
        else:
            lists = max(1, round(math.sqrt(count)))
            self.index = faiss.index_factory(width, f'IVF{lists},SQfp16', inner)
            self.index.train(vectors[np.random.default_rng(0).choice(
                count, min(count, 40 * lists), replace=False)])
        self.index.add(vectors)
        faiss.write_index(self.index, self.path)

    def open(self) -> None:
        """Read the file."""
        self.index = None
        self.index = self.faiss.read_index(self.path)

    def tune(self, queries: np.ndarray, truth: np.ndarray) -> None:
        """Take the cheapest setting that finds enough."""
        name = 'nprobe' if self.name == 'faiss-ivf' else 'efSearch'
        owner = self.index if self.name == 'faiss-ivf' else self.index.hnsw
        for value in (8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024):
            setattr(owner, name, value)
            self.setting = f', {name} {value}'
            if recall_of(np.stack([self.search(query) for query in queries]), truth) >= ENOUGH:
                break

    def search(self, query: np.ndarray) -> np.ndarray:
        """(10,) places."""
        return self.index.search(query[None], TOP)[1][0]

    def append(self, vectors: np.ndarray) -> None:
        """Add rows, and write the file again."""
        self.index.add(vectors)
        self.faiss.write_index(self.index, self.path)
