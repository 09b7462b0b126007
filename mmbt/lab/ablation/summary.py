"""The numbers of a table's rows over seeds, and whether the paper's order holds in them."""
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .results import Origin, origin_of, read
from .schedule import Run
from .tables import Row, Table
from .worlds import World


@dataclass
class Result:
    """What was measured of one row; all arrays are over the seeds that were run.

    Attributes:
        row: The row.
        seeds: The seeds.
        values: Our columns' numbers, (S,) each.
        seconds: (S,) of training, empty where nothing is trained.
        weights: Number of trained weights.
        origin: Who measured it; None where it was not run.
        finished: When, by ISO 8601, seed by seed.
    """

    row: Row
    seeds: tuple[int, ...]
    values: dict[str, np.ndarray]
    seconds: np.ndarray
    weights: int
    origin: Origin | None = None
    finished: tuple[str, ...] = ()

    @property
    def old(self) -> bool:
        """Whether what makes its numbers has changed since."""
        return self.origin is not None and self.origin.old

    @property
    def label(self) -> str:
        """What the paper calls it, and whether its numbers are old."""
        return f'{self.row.label} (old)' if self.old else self.row.label


@dataclass
class Order:
    """Whether the pairs of rows that the paper puts in an order have it here too.

    Attributes:
        paper: The paper's column.
        ours: Our column.
        held: Pairs (lower row, higher row) in the paper's order by their means.
        broken: Pairs that are not; a tie is no order.
        equal: Those of them that are alike in every seed.
        seeds: Pair to the number of seeds in which it has the paper's order, and of all.
        apart: Pairs that are not compared, since their rows are of two origins.
    """

    paper: str
    ours: str
    held: list[tuple[str, str]]
    broken: list[tuple[str, str]]
    equal: list[tuple[str, str]]
    seeds: dict[tuple[str, str], tuple[int, int]]
    apart: list[tuple[str, str]]


def read_result(row: Row, world: World, runs: Mapping[tuple[str, int], Run]) -> Result:
    """Gather what a row's finished runs left; where none is current, what former ones left."""
    mine = {seed: run for (config, seed), run in sorted(runs.items()) if config == row.config}
    done = {seed: read(run.result) for seed, run in mine.items() if run.result.exists()}
    old = not done
    if old:
        done = former_of_one_origin(mine)
    values = {
        column.label: np.array([column.scale * each['metrics'][column.test][column.metric]
                                for each in done.values()])
        for column in world.columns
    }
    trained = [each['training'] for each in done.values() if 'training' in each]
    return Result(row, tuple(done), values, np.array([each['seconds'] for each in trained]),
                  trained[0]['weights'] if trained else 0,
                  origin_of(next(iter(done.values())), old) if done else None,
                  tuple(each['finished'] for each in done.values()))


def former_of_one_origin(runs: Mapping[int, Run]) -> dict[int, dict[str, Any]]:
    """Seed -> result, of those who measured the row last, each seed's newest."""
    found = [(seed, read(path)) for seed, run in runs.items() for path in run.former]
    if not found:
        return {}
    _, newest = max(found, key=lambda each: each[1]['finished'])
    done: dict[int, dict[str, Any]] = {}
    for seed, result in found:  # a seed's newest comes first
        if origin_of(result, True) == origin_of(newest, True):
            done.setdefault(seed, result)
    return done


def summarize(table: Table, world: World,
              runs: Mapping[tuple[str, int], Run]) -> tuple[list[Result], list[Order]]:
    """The rows' numbers, and the order of each of the paper's columns."""
    results = [read_result(row, world, runs) for row in table.rows]
    orders = [compare(results, column, world.stands_for[column])
              for column in table.columns if column in world.stands_for]
    return results, orders


def compare(results: list[Result], paper: str, ours: str) -> Order:
    """Look at every two rows that were run and that the paper's column tells apart."""
    order = Order(paper, ours, [], [], [], {}, [])
    rows = [each for each in results if each.seeds and paper in each.row.paper]
    for i, one in enumerate(rows):
        for other in rows[i + 1:]:
            low, high = sorted((one, other), key=lambda each: each.row.paper[paper])
            gain = paired_gain(low, high, ours)
            if low.row.paper[paper] == high.row.paper[paper] or gain is None:
                continue
            pair = (low.row.label, high.row.label)
            if low.origin != high.origin:
                order.apart.append(pair)
                continue
            (order.held if gain.mean() > 0 else order.broken).append(pair)
            if not gain.any():
                order.equal.append(pair)
            order.seeds[pair] = int((gain > 0).sum()), len(gain)
    return order


def paired_gain(low: Result, high: Result, column: str) -> np.ndarray | None:
    """How much one row is above another in the seeds that both were run with."""
    shared = sorted(set(low.seeds) & set(high.seeds))
    if not shared:
        return None
    ours, theirs = (
        np.array([each.values[column][each.seeds.index(seed)] for seed in shared])
        for each in (high, low))
    return ours - theirs


def spread(values: np.ndarray) -> float:
    """The sample's standard deviation; nan for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float('nan')
