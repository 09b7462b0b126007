"""Exact search: every window is compared, from memory or from small copies on the disk.

A file of Lance's never changes, so what is kept of one is made once and dropped with it. A table
below :data:`IN_MEMORY` rows is held as float32. A larger one is held as int8 in files that are
mapped into memory (a quarter of its size), and the best by them are scored again from the table.
"""
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mmbt.files.atomic import remove_dead_drafts, whole_file

from .columns import Times, columns_of, times_of, vectors_of
from .lance_table import LanceTable, lance_errors, shown

IN_MEMORY = 100_000  # rows
AGAIN = 50  # candidates of int8 that are scored again, at least
AT_ONCE = 2**16  # rows multiplied at a time
FEW = .2  # share of a part's rows below which these alone are multiplied


class Part(NamedTuple):
    """What is kept of one file of the table."""

    address: np.ndarray  # (N,) uint64, by which Lance finds a row
    times: Times
    matrix: np.ndarray  # (N, E) float32; int8 of a large table
    scale: np.ndarray | None  # (N,) float32, what 1 of a row's int8 is


class ExactSearch:
    """All windows of a table, compared with a query one by one.

    Args:
        table: With columns video, start, end, embedding and baseline.
        width: E.
        copies: Folder of the int8 copies.
        check: Called before the vectors of a file are read as a whole.
    """

    def __init__(self, table: LanceTable, width: int, copies: Path,
                 check: Callable[[], None] = lambda: None) -> None:
        self.table = table
        self.width = width
        self.copies = copies
        self.check = check
        self._parts: dict[tuple, Part] = {}

    def parts(self, column: str, in_memory: bool) -> list[tuple[tuple, Part]]:
        """Each file's part, made where it is new; those of files that are gone are forgotten."""
        keys = {}
        for fragment in self.table.fragments():
            with lance_errors(self.table.index):
                name = Path(fragment.data_files()[0].path).stem
            keys[name, fragment.fragment_id, column, in_memory] = fragment
        for gone in [key for key in self._parts if key[2:] == (column, in_memory)
                     and key not in keys]:
            del self._parts[gone]
        for key, fragment in keys.items():
            if key not in self._parts:
                self._parts[key] = (self._read(fragment, column) if in_memory
                                    else self._mapped(fragment, column))
        return [(key, self._parts[key]) for key in keys]

    def _read(self, fragment: Any, column: str) -> Part:
        self.check()
        with lance_errors(self.table.index):
            rows = fragment.to_table(columns=columns_of(column), with_row_id=True)
        return Part(rows['_rowid'].to_numpy(), times_of(rows, self.table.index),
                    vectors_of(rows, column, self.width, self.table.index), None)

    def _mapped(self, fragment: Any, column: str) -> Part:
        """The int8 copy of a file, written where there is none of this size."""
        with lance_errors(self.table.index):
            name = Path(fragment.data_files()[0].path).stem
            count = fragment.physical_rows
        path = self.copies / f'{name}.{fragment.fragment_id}.{column}.int8'
        if count * self.width > 2**34:
            raise ValueError(f'index {shown(self.table.index)} is damaged: a file of {count:,} '
                             'rows; make it anew')
        layout = np.dtype([('address', 'u8'), ('video', 'i8'), ('start', 'f8'), ('end', 'f8'),
                           ('scale', 'f4')])
        wanted = count * (layout.itemsize + self.width)
        if not path.is_file() or path.stat().st_size != wanted:
            self._write_copy(path, fragment, column, layout, count)
        with open(path, 'rb') as file:
            rows = np.frombuffer(file.read(count * layout.itemsize), layout)
        matrix: np.ndarray = np.memmap(path, np.int8, 'c', count * layout.itemsize,
                                       (count, self.width))
        times = Times(*(np.ascontiguousarray(rows[name]) for name in Times._fields))
        return Part(np.ascontiguousarray(rows['address']), times, matrix,
                    np.ascontiguousarray(rows['scale']))

    def _write_copy(self, path: Path, fragment: Any, column: str, layout: np.dtype,
                    count: int) -> None:
        self.check()
        rows = np.zeros(count, layout)  # those deleted since are no video's
        rows['video'] = -1
        filled = 0
        with whole_file(path) as draft, open(draft, 'wb') as file:
            file.seek(count * layout.itemsize)
            for batch in self._batches(fragment, columns_of(column)):
                vectors = vectors_of(batch, column, self.width, self.table.index)
                part = rows[filled:filled + len(vectors)]
                part['scale'] = np.abs(vectors).max(axis=1, initial=1e-12) / 127
                part['address'] = batch['_rowid'].to_numpy()
                for name, values in zip(Times._fields, times_of(batch, self.table.index)):
                    part[name] = values
                vectors /= part['scale'][:, None]
                file.write(np.rint(vectors, out=vectors).astype(np.int8).data)
                filled += len(vectors)
            file.truncate(count * (layout.itemsize + self.width))
            file.seek(0)
            file.write(rows.data)

    def _batches(self, fragment: Any, columns: list[str]) -> Iterator[Any]:
        import pyarrow
        with lance_errors(self.table.index):
            reader = iter(fragment.to_batches(columns=columns, with_row_id=True,
                                              batch_size=2**14))
        while True:
            with lance_errors(self.table.index):
                batch = next(reader, None)
            if batch is None:
                return
            yield pyarrow.Table.from_batches([batch])

    def best(self, query: np.ndarray, top: int, allowed: np.ndarray,
             column: str) -> tuple[Times, np.ndarray]:
        """The best rows of some videos, best first.

        Args:
            query: (E,) float32.
            top: How many.
            allowed: Numbers of the videos, sorted.
            column: One of :data:`.columns.COLUMNS`; 'time' orders the ``top`` best of 'baseline' by
                the embedding less the baseline, which says nothing of other rows.

        Returns:
            Their times, and their (K,) float32 scores.
        """
        in_memory = self.table.count() <= IN_MEMORY
        by = 'baseline' if column == 'time' else column
        wanted = top if in_memory else max(AGAIN, 5 * top)
        found: list[tuple] = []
        for _, part in self.parts(by, in_memory):
            places = np.flatnonzero(is_in(part.times.video, allowed))
            few = len(places) < FEW * len(part.address)
            scores = products(part, query, places) if few else products(part, query)[places]
            chosen = highest(scores, wanted)
            places = places[chosen]
            found.append((scores[chosen], part.address[places],
                          *(values[places] for values in part.times)))
        if not found:
            return Times(*np.zeros((3, 0))), np.zeros(0, np.float32)
        scores, address, *times = map(np.concatenate, zip(*found))
        order = np.argsort(-scores, kind='stable')[:wanted]
        order = order[:top] if column == 'time' else order
        if column == 'time' or not in_memory:
            scores = self._again(address[order], query, column)
            again = np.argsort(-scores, kind='stable')[:top]
            order, scores = order[again], scores[again]
        else:
            scores = scores[order]
        return Times(*(values[order] for values in times)), scores

    def _again(self, address: np.ndarray, query: np.ndarray, column: str) -> np.ndarray:
        with lance_errors(self.table.index):
            rows = self.table.data._take_rows(address.tolist(), columns=columns_of(column)[3:])
        if len(rows) != len(address):
            raise ValueError(f'index {shown(self.table.index)} is damaged: copies of vectors that '
                             'the table has not; delete its folder copies')
        return vectors_of(rows, column, self.width, self.table.index) @ query

    def truth(self, queries: np.ndarray, top: int, allowed: np.ndarray) -> np.ndarray:
        """The best ``top`` rows' addresses for (Q, E) queries, (Q, top), in one pass."""
        self.check()
        best: np.ndarray = np.full((len(queries), top), -np.inf, np.float32)
        where: np.ndarray = np.zeros((len(queries), top), np.uint64)
        for fragment in self.table.fragments():
            for batch in self._batches(fragment, columns_of('embedding')):
                scores = queries @ vectors_of(batch, 'embedding', self.width,
                                              self.table.index).T
                scores[:, ~is_in(batch['video'].to_numpy(), allowed)] = -np.inf
                places = np.argpartition(-scores, min(top, scores.shape[1] - 1))[:, :top]
                address = batch['_rowid'].to_numpy()[places]
                best = np.hstack([best, np.take_along_axis(scores, places, 1)])
                where = np.hstack([where, address])
                order = np.argsort(-best, axis=1)[:, :top]
                best = np.take_along_axis(best, order, 1)
                where = np.take_along_axis(where, order, 1)
        return where

    def remove_old_copies(self) -> None:
        """Remove the copies of files that the table has no more."""
        with lance_errors(self.table.index):
            names = {Path(fragment.data_files()[0].path).stem
                     for fragment in self.table.fragments()}
        for path in self.copies.glob('*.int8*') if self.copies.is_dir() else ():
            if path.suffix == '.part':
                remove_dead_drafts(path.with_name(path.name.split('.int8')[0] + '.int8'))
            elif path.name.split('.')[0] not in names:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def products(part: Part, query: np.ndarray, places: np.ndarray | None = None) -> np.ndarray:
    """(N,) float32 products of a part's rows, or of some, with a query; of int8 about those."""
    if places is not None:
        part = part._replace(matrix=part.matrix[places],
                             scale=None if part.scale is None else part.scale[places])
    if part.scale is None:
        return part.matrix @ query
    # the query as coarse + fine / 254, both int8, so that it is not rounded as the rows are
    scale = max(float(np.abs(query).max()), 1e-12) / 127
    coarse = np.rint(query / scale)
    fine = np.rint((query / scale - coarse) * 254)
    halves = torch.from_numpy(np.stack([coarse, fine]).astype(np.int8))
    scores: np.ndarray = np.empty(len(part.matrix), np.float32)
    for start in range(0, len(scores), AT_ONCE):
        rows = torch.from_numpy(np.asarray(part.matrix[start:start + AT_ONCE]))
        first, second = int_products(halves, rows).numpy()
        scores[start:start + AT_ONCE] = first + second / np.float32(254)
    return scores * part.scale * np.float32(scale)


def int_products(few: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """(M, E) int8 with each of (N, E) int8, (M, N), as whole numbers.

    In this order, as a CPU takes twice as long for the other.
    """
    try:
        return torch._int_mm(few, rows.T)
    except (RuntimeError, AttributeError):  # not of this size or build
        return few.float() @ rows.float().T


def highest(scores: np.ndarray, top: int) -> np.ndarray:
    """Places of the highest scores, in the order of places."""
    if len(scores) <= top:
        return np.arange(len(scores))
    return np.sort(np.argpartition(-scores, top)[:top])


def is_in(values: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Whether each value is one of a sorted list; equal ones mostly follow one another."""
    if not len(allowed) or not len(values):
        return np.zeros(len(values), bool)
    firsts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    places = np.minimum(np.searchsorted(allowed, values[firsts]), len(allowed) - 1)
    return np.repeat(allowed[places] == values[firsts],
                     np.diff(np.concatenate([firsts, [len(values)]])))
