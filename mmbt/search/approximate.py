"""Approximate search: an IVF_RQ index of Lance's, tested against exact queries after each build."""
from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import read_json

from .columns import Times, times_of, vectors_of
from .exact import ExactSearch, is_in
from .lance_table import LanceTable, below, lance_errors, literal, to_stored

EXACT_BELOW = 100_000  # windows
SETTING = 'approximate.json'
INDEX = 'embedding_idx'
SHARES = (.02, .05, .1, .16, .22, .32, .44, .66, 1.)  # of the lists that are probed
REFINES = (5, 10, 20)  # times as many candidates as hits are scored again from their vectors
COLUMNS = ['video', 'start', 'end', 'embedding']
QUERIES, TOP = 200, 10  # queries that choose the setting, and as many that then test it
NEW_SHARE = .5  # of rows that are in no list, from which the index is made anew
LATE_SHARE = .05  # of such rows, from which they are to be put into lists


class Setting(NamedTuple):
    """How the lists are searched, and what was found so of queries that did not choose it."""

    nprobes: int
    refine: int
    held_out_recall: float
    held_out_queries: int


def setting_of(folder: Path) -> Setting | None:
    """What :func:`build` found, or None where it has not been.

    Raises:
        ValueError: If the file is damaged.
    """
    path = folder / SETTING
    if not path.is_file():
        return None
    found = read_json(path, dict, 'setting of the index', most=2**16)
    values = [found.get(name) for name in Setting._fields]
    *counts, recall, queries = values
    if (any(type(value) is not int or not 1 <= value <= 100_000 for value in (*counts, queries))
            or type(recall) is not float or not 0 <= recall <= 1):
        raise ValueError(f'{path} is damaged: remove it, or build the index again')
    return Setting(*values)


def in_words(setting: Setting) -> str:
    """How well it finds, for people."""
    return (f'approximate, recall@{TOP} {setting.held_out_recall:.3f} on '
            f'{setting.held_out_queries} held-out queries')


def needs_build(folder: Path, table: LanceTable) -> bool:
    """Whether there is no index of enough windows, or many of them are in no list."""
    count = table.count()
    if count <= EXACT_BELOW:
        return False
    return setting_of(folder) is None or outside(table, count) > LATE_SHARE * count


def outside(table: LanceTable, count: int) -> int:
    """How many rows of ``count`` are in no list."""
    with lance_errors(table.index):
        if INDEX not in {each.name for each in table.data.describe_indices()}:
            return count
        return table.data.stats.index_stats(INDEX)['num_unindexed_rows']


def best(table: LanceTable, setting: Setting, query: np.ndarray, top: int, allowed: np.ndarray,
         scope: str | None) -> tuple[Times, np.ndarray]:
    """As :meth:`.exact.ExactSearch.best`, by the lists that are nearest to the query."""
    found = nearest(table, setting, query, top, scope, COLUMNS)
    more = top
    while True:
        good = is_in(found['video'].to_numpy(), allowed)
        if good.sum() >= top or len(good) < more:
            break
        more *= 4  # windows of other videos, or that count no more, were among them
        found = nearest(table, setting, query, more, scope, COLUMNS)
    scores = vectors_of(found, 'embedding', len(query), table.index) @ query
    places = np.flatnonzero(good)
    places = places[np.argsort(-scores[places], kind='stable')][:top]
    times = times_of(found, table.index)
    return Times(*(values[places] for values in times)), scores[places]


def nearest(table: LanceTable, setting: Setting, query: np.ndarray, top: int, scope: str | None,
            columns: list[str], with_address: bool = False) -> Any:
    """The rows that Lance's search finds, best first."""
    within = None
    if scope is not None:
        within = f'(({below(scope)}) OR path = {literal(to_stored(scope))})'
    with lance_errors(table.index):
        return table.data.to_table(
            columns=[*columns, '_distance'], filter=within, prefilter=within is not None,
            with_row_id=with_address,
            nearest=dict(column='embedding', q=query, k=top, nprobes=setting.nprobes,
                         refine_factor=setting.refine, metric='dot'))


def build(folder: Path, table: LanceTable, exact: ExactSearch, allowed: np.ndarray,
          recall: float) -> dict[str, Any]:
    """Make the lists, and keep the smallest share of them that finds enough.

    Args:
        folder: Of the index.
        table: Of the windows.
        exact: What it is tested against.
        allowed: Numbers of the videos, sorted.
        recall: Share of the exact best ten that is to be found.

    Returns:
        See :meth:`.moment_index.MomentIndex.build`.
    """
    count = table.count()
    if count <= EXACT_BELOW:
        (folder / SETTING).unlink(missing_ok=True)
        return dict(kind='exact', windows=count, recall=1.)
    begun = time.monotonic()
    lists = make_lists(table, count)
    built = time.monotonic() - begun
    half = min(QUERIES, count // 2)
    queries = draw_queries(table, exact, 2 * half)
    truth = exact.truth(queries, TOP, allowed)
    setting, chosen_on = choose(table, lists, queries[:half], truth[:half], recall)
    found, seconds = measure(table, setting, queries[half:], truth[half:])
    setting = setting._replace(held_out_recall=found)
    report = dict(kind='approximate', windows=count, recall=found, queries=half, lists=lists,
                  chosen_on=chosen_on, seconds=seconds, build_seconds=built,
                  test_seconds=time.monotonic() - begun - built, **setting._asdict())
    with whole_file(folder / SETTING) as draft:
        draft.write_text(json.dumps(report, indent=1), encoding='utf-8')
    return report


def choose(table: LanceTable, lists: int, queries: np.ndarray, truth: np.ndarray,
           recall: float) -> tuple[Setting, float]:
    """The cheapest setting that finds enough, else the one that finds most; and what it finds."""
    tried = [(share, REFINES[0]) for share in SHARES] + [(SHARES[-1], refine)
                                                         for refine in REFINES[1:]]
    best_found, chosen = -1., None
    for share, refine in tried:
        setting = Setting(max(1, math.ceil(share * lists)), refine, 0., len(queries))
        found, _ = measure(table, setting, queries, truth)
        if chosen is None or found > best_found:
            best_found, chosen = found, setting
        if found >= recall:
            break
    assert chosen is not None
    return chosen, best_found


def make_lists(table: LanceTable, count: int) -> int:
    """Make or renew the indices of vectors and paths; the number of lists."""
    with lance_errors(table.index):
        data = table.data
        names = {each.name for each in data.describe_indices()}
        for column in ('path', 'video'):
            if f'{column}_idx' not in names:
                data.create_scalar_index(column, 'BTREE', name=f'{column}_idx')
        if outside(table, count) > NEW_SHARE * count:
            data.create_index('embedding', 'IVF_RQ', name=INDEX, metric='dot', replace=True,
                              num_partitions=round(math.sqrt(count)), sample_rate=40)
        data.optimize.optimize_indices()
        table.refresh()
        indices = table.data.stats.index_stats(INDEX)['indices']
    return max(each['num_partitions'] for each in indices)


def draw_queries(table: LanceTable, exact: ExactSearch, number: int) -> np.ndarray:
    """(Q, E) queries: windows of the index, with as much noise, as no query is a window."""
    draw = np.random.default_rng(0)
    places = draw.choice(table.count(), number, replace=False)
    with lance_errors(table.index):
        rows = table.data.take(places.tolist(), columns=['embedding'])
    vectors = vectors_of(rows, 'embedding', exact.width, table.index)
    noise = draw.standard_normal(vectors.shape).astype(np.float32)
    vectors += noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def measure(table: LanceTable, setting: Setting, queries: np.ndarray,
            truth: np.ndarray) -> tuple[float, float]:
    """Recall of the best ten, and the median seconds of a query."""
    hits, seconds = 0, []
    for query, wanted in zip(queries, truth):
        begun = time.perf_counter()
        found = nearest(table, setting, query, truth.shape[1], None, ['video'], with_address=True)
        seconds.append(time.perf_counter() - begun)
        hits += len(set(found['_rowid'].to_pylist()) & set(wanted.tolist()))
    return hits / truth.size, float(np.median(seconds))
