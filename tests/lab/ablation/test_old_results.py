"""Results of code that has changed since: found, marked wherever they are shown, never mixed."""
import csv
import json
import os

import cv2
import numpy as np
import pytest

from mmbt.lab.ablation import schedule
from mmbt.lab.ablation.report import write_reports
from mmbt.lab.ablation.results import former_results, origin_of, read
from mmbt.lab.ablation.schedule import plan
from mmbt.lab.ablation.summary import summarize
from mmbt.lab.ablation.tables import Row, Table

from .conftest import MADE, TOY
from .test_report import read_markdown

TABLE = Table('table', 'Three', (Row('a', 'A', {'theirs R@1': 1.0}),
                                 Row('b', 'B', {'theirs R@1': 2.0}),
                                 Row('c', 'C', {'theirs R@1': 3.0})))
# As 0.1.0 wrote them: without a digest and a time.
FIRST = dict(versions=dict(mmbt='0.1.0', torch='1'))
LAST = dict(MADE, sources='older', finished='2026-01-01T00:00:00+00:00')


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of runs; a row's mark begins with its name."""
    monkeypatch.setattr(schedule, 'fingerprint', lambda row, world: f'{row}-now')
    monkeypatch.setattr(schedule, 'data_fingerprint', lambda world: 'data')
    return tmp_path


def leave(folder, row, seed, name, found, made, world='toy'):
    """A finished run, and its file."""
    path = folder / f'seed{seed}/runs/{name}/result.json'
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dict(
        made, row=row, world=world, seed=seed,
        metrics=dict(search=dict(R1=found), guess=dict(top1=0.5)))))
    return path


def found_of(folder, seeds=2):
    """What each row's result is, its seeds, and whether it is old."""
    results, orders = summarize(TABLE, TOY, plan([TABLE], TOY, seeds, folder))
    return [(each.values['found'].tolist(), each.seeds, each.old) for each in results], orders


def test_a_row_is_of_one_origin(folder):
    """A current result goes before former ones of more seeds, the last origin before the first."""
    for seed in (0, 1):
        leave(folder, 'a', seed, 'a-first', 1, FIRST)
        leave(folder, 'b', seed, 'b-first', 2, FIRST)
        leave(folder, 'c', seed, 'c-first', 3, FIRST)
    for path in folder.rglob('result.json'):
        os.utime(path, (1_700_000_000, ) * 2)  # before LAST
    leave(folder, 'b', 1, 'b-last', 20, LAST)
    leave(folder, 'c', 1, 'c-now', 30, MADE)
    rows, (order, ) = found_of(folder)
    assert rows == [([1, 1], (0, 1), True), ([20], (1, ), True), ([30], (1, ), False)]
    assert not order.held and not order.broken  # no two of one origin
    assert order.apart == [('A', 'B'), ('A', 'C'), ('B', 'C')]


def test_former_results_of_one_origin_are_compared(folder):
    for row, found in (('a', 2), ('b', 1), ('c', 3)):
        leave(folder, row, 0, f'{row}-last', found, LAST)
    rows, (order, ) = found_of(folder)
    assert all(old for _, _, old in rows) and order.apart == []
    assert order.held == [('A', 'C'), ('B', 'C')] and order.broken == [('A', 'B')]


def test_of_one_origin_a_seed_s_newest_is_taken(folder):
    leave(folder, 'a', 0, 'a-1', 1, LAST)
    leave(folder, 'a', 0, 'a-2', 2, dict(LAST, finished='2026-01-01T09:00:00+00:00'))
    leave(folder, 'a', 0, 'a-3', 3, dict(LAST, finished='2026-01-01T05:00:00+00:00'))
    assert found_of(folder)[0][0] == ([2], (0, ), True)


def test_a_former_result_goes_by_the_name_that_it_had(folder, monkeypatch):
    """Rows that are the same now share one, and other worlds' are none of theirs."""
    monkeypatch.setattr(schedule, 'fingerprint', lambda row, world: 'c' if row == 'c' else 'ab')
    leave(folder, 'b', 0, 'x', 5, LAST)
    leave(folder, 'c', 0, 'y', 6, LAST, world='another')
    assert found_of(folder)[0] == [([5], (0, ), True), ([5], (0, ), True), ([], (), False)]
    assert former_results(folder / 'seed0/runs', 'toy', {'x'}) == {}


def test_another_version_of_the_same_sources_is_no_other_origin():
    assert origin_of(MADE, False) == origin_of(dict(MADE, version='1.3'), False)
    assert origin_of(FIRST, True) != origin_of(dict(versions=dict(mmbt='0.2', torch='1')), True)
    assert origin_of(MADE, False) != origin_of(MADE, True)


def test_old_is_written_in_each_form(folder):
    leave(folder, 'a', 0, 'a-now', 1, MADE)
    path = leave(folder, 'b', 0, 'b-first', 2, FIRST)
    write_reports([TABLE], TOY, plan([TABLE], TOY, 1, folder), folder)
    _, (table, orders), notes = read_markdown((folder / 'table.md').read_text())
    assert [row[0] for row in table[1:]] == ['A', 'B (old)', 'C']
    assert [row[1] for row in table[1:]] == ['1.0', '2.0', 'not run']
    day = read(path)['finished'][:10]
    assert notes == [
        'Measured with mmbt 1.2 (sources abc, torch 3), 2026-01-02.',
        f'Old: measured with mmbt 0.1.0 (torch 1), {day}. What makes these numbers has changed '
        'since; the same command without --report-only renews them.',
        'Not compared, since their rows were measured by different sources: 1 pairs.']
    assert orders[1][2] == 'not run'
    with (folder / 'table.csv').open(newline='') as file:
        assert [(row['row'], row['version'], row['sources'], row['old'])
                for row in csv.DictReader(file)] == [('A', '1.2', 'abc', 'no'),
                                                     ('B', '0.1.0', '', 'yes')]


@pytest.mark.parametrize('axis', ['', 'places'])
def test_old_is_drawn_otherwise(axis, folder):
    """The same numbers, made by this code and by other code."""
    rows = tuple(Row(name, name, x=i) for i, name in enumerate('abc'))
    pictures = {}
    for mark, made in (('now', MADE), ('last', LAST)):
        for row in 'abc':
            leave(folder / mark, row, 0, f'{row}-{mark}', 4, made)
        table = Table('table', 'Three', rows, axis)
        *_, path = write_reports([table], TOY, plan([table], TOY, 1, folder / mark), folder / mark)
        pictures[mark] = cv2.imread(str(path)).astype(int)
    assert pictures['now'].shape[0] == pictures['last'].shape[0]
    if not axis:  # bars: the pale blue is gone
        pale = [(np.abs(each - (0xec, 0xdc, 0xc9)).max(axis=-1) < 8).sum()
                for each in pictures.values()]
        assert pale[0] > 1000 > 10 * pale[1]
    else:
        assert np.abs(pictures['now'] - pictures['last']).max() > 50
