"""Approximate search: what it finds, and that it says how much by queries that chose nothing."""
import json

import numpy as np
import pyarrow
import pytest

from mmbt.search import approximate, exact
from mmbt.search.jobs import build_if_due, tell_approximate
from mmbt.search.memory_index import MemoryIndex

from .moments_world import WIDTH, add, expected, vectors


@pytest.fixture
def many(index, monkeypatch):
    """The index, as if 300 windows were many."""
    monkeypatch.setattr(approximate, 'EXACT_BELOW', 50)
    monkeypatch.setattr(exact, 'IN_MEMORY', 50)
    return index


def test_approximate_search_finds_and_says_how_much(many):
    assert approximate.setting_of(many.folder) is None and many.needs_build()
    assert many.describe_search() == 'exact'
    report = many.build(recall=.98)
    assert report['kind'] == 'approximate' and report['chosen_on'] >= .98
    kept = json.loads((many.folder / 'approximate.json').read_text())
    assert kept['held_out_recall'] == report['recall'] and kept['held_out_queries'] == 150
    assert many.describe_search() == (f'approximate, recall@10 {report["recall"]:.3f} on 150 '
                                      'held-out queries')
    query = vectors(1, 64)[0]
    wanted = expected(query, range(30), 10)
    found = {each[:3] for each in many.search(query, 10)} & {each[:3] for each in wanted}
    assert len(found) >= 9
    scope = many.search(query, 60, scope='/videos/1')
    assert len(scope) == 60 and all(each.path.startswith('/videos/1/') for each in scope)
    add(many, '/later.mp4', seed=64, count=1)  # in no list yet
    assert many.search(query, 1)[0].path == '/later.mp4' and not many.needs_build()
    assert '/later.mp4' not in {each.path for each in many.search(query, 10,
                                                                  exclude_path='/later.mp4')}
    add(many, '/more.mp4', seed=65, count=20)
    assert many.needs_build()


def test_the_queries_that_choose_do_not_judge(many, monkeypatch):
    """Each half is measured by itself: the first finds enough, what the second finds is told."""
    monkeypatch.setattr(approximate, 'QUERIES', 20)
    seen = []

    def measure(table, setting, queries, truth):
        seen.append((setting.nprobes, queries))
        return (.5, .97, .99, .91)[len(seen) - 1], .001

    monkeypatch.setattr(approximate, 'measure', measure)
    report = many.build(recall=.98)
    (_, chosen), *_, (nprobes, held_out) = seen
    assert len(seen) == 4 and nprobes == seen[2][0] == report['nprobes']
    assert len(chosen) == len(held_out) == 20 and (chosen @ held_out.T).max() < .9999
    assert (report['recall'], report['chosen_on'], report['queries']) == (.91, .99, 20)
    assert many.describe_search() == 'approximate, recall@10 0.910 on 20 held-out queries'


def test_where_none_finds_enough_the_best_is_kept(many, monkeypatch):
    answers = iter([.1, .7, *[.3] * 9, .6])
    monkeypatch.setattr(approximate, 'measure', lambda *_: (next(answers), .001))
    report = many.build(recall=.98)
    assert (report['chosen_on'], report['recall'], report['refine']) == (.7, .6, 5)
    assert report['nprobes'] == int(np.ceil(approximate.SHARES[1] * report['lists']))


def test_recall_counts_what_is_found(monkeypatch):
    answers = iter([[1, 9], [4, 3]])
    monkeypatch.setattr(approximate, 'nearest', lambda *_, **__: pyarrow.table(
        {'_rowid': next(answers)}))
    truth = np.array([[1, 2], [3, 4]], np.uint64)
    recall, _ = approximate.measure(None, None, np.zeros((2, 4)), truth)
    assert recall == .75


def test_the_truth_is_that_of_a_loop(index):
    queries = vectors(4, 70)
    allowed, _, _ = index._allowed(None)
    rows = index._moments.data.to_table(columns=['video', 'embedding'], with_row_id=True)
    kept = np.stack([np.float32(row) for row in rows['embedding'].to_pylist()])
    truth = index._exact.truth(queries, 10, allowed)
    for query, found in zip(queries, truth):
        best = np.argsort(-(kept @ query))[:10]
        assert found.tolist() == rows['_rowid'].to_numpy()[best].tolist()


def test_a_small_index_stays_exact(index):
    assert not index.needs_build()
    assert index.build() == dict(kind='exact', windows=300, recall=1.)
    assert index.describe_search() == 'exact' == MemoryIndex(WIDTH).describe_search()


def test_who_indexes_makes_it_and_who_searches_is_told(many, capsys):
    lines = []
    build_if_due(many, lines.append)
    report = approximate.setting_of(many.folder)
    assert lines == ['300 windows: the lists of the approximate index are being made, some minutes '
                     'a million; what is indexed is kept if this is stopped',
                     f'approximate, recall@10 {report.held_out_recall:.3f} on 150 held-out queries']
    build_if_due(many)
    build_if_due(MemoryIndex(WIDTH))
    tell_approximate(MemoryIndex(WIDTH))
    assert capsys.readouterr() == ('', '')
    tell_approximate(many)
    assert capsys.readouterr() == ('', f'{lines[1]}\n')


@pytest.mark.parametrize('change', [
    dict(nprobes=1e9), dict(nprobes=0), dict(refine=True), dict(held_out_recall=2.),
    dict(held_out_recall='x'), dict(held_out_queries=None), dict(held_out_queries=10**9)])
def test_a_setting_that_cannot_be_is_one_line(tmp_path, change):
    good = dict(nprobes=3, refine=5, held_out_recall=.99, held_out_queries=200)
    (tmp_path / 'approximate.json').write_text(json.dumps(good))
    assert approximate.setting_of(tmp_path) == approximate.Setting(**good)
    (tmp_path / 'approximate.json').write_text(json.dumps({**good, **change}))
    with pytest.raises(ValueError, match='^[^\n]*approximate.json is damaged: remove it[^\n]*$'):
        approximate.setting_of(tmp_path)
