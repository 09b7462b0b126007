"""The index of moments: what is found, kept and refused."""
import os
import time

import numpy as np
import pytest

from mmbt.search import exact
from mmbt.search.lance_table import from_stored, to_stored
from mmbt.search.moment_index import MomentIndex
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

from .moments_world import MADE_BY, WIDTH, a_name, add, assert_same, expected, vectors


@pytest.mark.parametrize('in_memory', [100_000, 10])
@pytest.mark.parametrize('column', ['embedding', 'baseline', 'time'])
def test_every_window_is_compared(index, column, in_memory, monkeypatch):
    monkeypatch.setattr(exact, 'IN_MEMORY', in_memory)
    for seed in range(3):
        query = vectors(1, 50 + seed)[0]
        assert_same(index.search(query, 12, column=column), expected(query, range(30), 12, column))


def test_values_are_looked_up_run_by_run():
    draw = np.random.default_rng(0)
    for count in (0, 1, 2, 500):
        values, allowed = draw.integers(0, 9, count), np.sort(draw.choice(9, 4, replace=False))
        assert exact.is_in(values, allowed).tolist() == [each in allowed for each in values]
        assert not exact.is_in(values, allowed[:0]).any()


@pytest.mark.parametrize('in_memory', [100_000, 10])
def test_a_scope_is_a_folder_or_a_file(index, in_memory, monkeypatch):
    monkeypatch.setattr(exact, 'IN_MEMORY', in_memory)
    query = vectors(1, 60)[0]
    assert_same(index.search(query, 12, scope='/videos/1'), expected(query, range(1, 30, 3), 12))
    assert_same(index.search(query, 12, scope='/videos/1/'), expected(query, range(1, 30, 3), 12))
    assert_same(index.search(query, 12, scope=a_name(4)), expected(query, [4], 10))
    assert index.search(query, 12, scope='/videos/10') == index.search(query, 3, scope='/vid') == []
    others = [number for number in range(30) if number != 7]
    assert_same(index.search(query, 12, exclude_path=a_name(7)), expected(query, others, 12))


def test_another_process_finds_what_was_added(index):
    other = MomentIndex.open(index.folder, MADE_BY)
    query = vectors(1, 61)[0]
    assert_same(other.search(query, 5), expected(query, range(30), 5))
    add(index, '/new.mp4', seed=61, count=1)
    index.flush()
    assert other.search(query, 1)[0].path == '/new.mp4'
    assert (other.count_videos(), other.count_windows(), other.has_baseline) == (31, 301, True)


def test_a_changed_video_takes_the_place_of_the_old_one(index):
    add(index, a_name(2), seed=77, count=1, mtime=2, with_baseline=False)
    found = index.search(vectors(10, 2)[5], 300)
    assert len(found) == 291 and sum(each.path == a_name(2) for each in found) == 1
    windows, rows = index.windows_of(a_name(2))
    assert windows == [Window(0., 4.)] and not index.has_baseline
    np.testing.assert_allclose(rows, vectors(1, 77), atol=1e-3)
    assert index.is_current(a_name(2), 5, 2) and not index.is_current(a_name(2), 5, 1)
    assert index._moments.count() == 291  # the old windows are gone from the table


def test_dropped_videos_are_gone_for_all(index, tmp_path):
    other = MomentIndex.open(index.folder)
    here = tmp_path / 'here.mp4'
    here.touch()
    add(index, str(here))
    index.drop([a_name(3), '/unknown'])
    query = vectors(1, 3)[0]
    wanted = [number for number in range(30) if number != 3]
    assert_same(other.search(query, 5, scope='/videos'), expected(query, wanted, 5))
    assert sorted(index.drop_missing()) == sorted(map(a_name, wanted))
    assert [row.path for row in MomentIndex.open(index.folder).videos()] == [str(here)]


def test_scores_of_a_video_are_in_the_order_of_time(index):
    query = vectors(1, 62)[0]
    found = index.scores(a_name(9), query, 'time')
    wanted = sorted(expected(query, [9], 10, 'time'), key=lambda each: each.start)
    assert_same(found, wanted)
    assert index.scores('/unknown', query) == []
    assert index.windows_of('/unknown')[1].shape == (0, WIDTH)


def test_an_unreadable_video_is_kept_with_its_reason(index):
    index.add(VideoRow('/bad.mp4', 3, 4, 0., 0, 'cut short'), [], np.zeros((0, WIDTH)))
    index.flush()
    other = MomentIndex.open(index.folder)
    assert other.errors() == {'/bad.mp4': 'cut short'} and other.is_current('/bad.mp4', 3, 4)
    assert other.count_videos() == 30 and other.has_baseline


def test_compaction_changes_no_answer_and_no_one_elses_windows(index):
    query = vectors(1, 63)[0]
    for number in range(12):
        add(index, a_name(number), seed=number, mtime=3)
        index.flush()
    rows = index._moments.data.to_table().slice(0, 5)
    orphans = rows.set_column(0, 'video', [[time.time_ns() - 2 * 10**9] * 5])
    index._moments.append(orphans)
    assert_same(index.search(query, 9), expected(query, range(30), 9))
    index.compact()  # another writer's, as far as it knows
    assert index._moments.count() == 305 and len(index._moments.fragments()) == 1
    index.compact(keep=1.)
    assert index._moments.count() == 300
    assert_same(index.search(query, 9), expected(query, range(30), 9))
    assert_same(MomentIndex.open(index.folder).search(query, 9), expected(query, range(30), 9))


@pytest.mark.parametrize('change, words', [
    (dict(model='1e'), r'was made with another model \(0f, not 1e\)'),
    (dict(windows=dict(length=8.)), 'was made with another windows .*4.0.*8.0'),
    (dict(model_card=dict(num_heads=12)), None)])
def test_another_models_index_is_named(index, change, words):
    ours = {**MADE_BY, **change}
    if words is None:  # the index has no card, as one of other tools
        MomentIndex.open(index.folder, ours)
        return
    with pytest.raises(ValueError, match=words):
        MomentIndex.open(index.folder, ours)
    with pytest.raises(ValueError, match=words):
        MomentIndex.create(index.folder, WIDTH, ours)


def test_the_card_tells_the_difference(tmp_path):
    MomentIndex.create(tmp_path / 'one', WIDTH, dict(model_card=dict(num_heads=8)))
    with pytest.raises(ValueError, match='num_heads=8, this config says 12: set arch'):
        MomentIndex.open(tmp_path / 'one', dict(model_card=dict(num_heads=12)))
    with pytest.raises(ValueError, match='embeddings of 16 channels, and the model gives 8'):
        MomentIndex.create(tmp_path / 'one', 8, {})


def test_what_cannot_be_added_is_refused(index):
    row = VideoRow('/a.mp4', 1, 1, 4., 2, '')
    two = [Window(0., 4.), Window(2., 6.)]
    good = vectors(2, 0)
    for args, words in [
            ((row, two[:1], good[:1]), 'has 1 windows, and its row says 2'),
            ((row, two, good[:1]), 'embeddings of shape'),
            ((row, two, good * np.nan), 'not of length 1'),
            ((row, two, good * 2), 'not of length 1'),
            ((row, [Window(0., np.nan)] * 2, good), 'times that cannot be'),
            ((row, [Window(5., 4.)] * 2, good), 'times that cannot be'),
            ((row._replace(path='a.mp4'), two, good), 'no absolute path'),
            ((row._replace(path='/a\x00.mp4'), two, good), 'NUL'),
            ((row._replace(error='x'), two, good), 'windows and an error')]:
        with pytest.raises(ValueError, match=words):
            index.add(*args)
    with pytest.raises(ValueError, match='16 finite numbers'):
        index.search(np.full(WIDTH, np.nan), 1)
    with pytest.raises(ValueError, match='top must be at least 1'):
        index.search(good[0], 0)
    with pytest.raises(ValueError, match='column must be one of'):
        index.search(good[0], 1, column='x')


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / 'holiday.mp4').touch()
    with pytest.raises(ValueError, match='is no index and not empty'):
        MomentIndex.create(tmp_path, WIDTH, {})
    with pytest.raises(FileNotFoundError, match='is missing'):
        MomentIndex.open(tmp_path)
    assert os.listdir(tmp_path) == ['holiday.mp4']


@pytest.mark.parametrize('path', ['/a', '/\udc80\udcff', '/ü\n\t', '/a\x01', "/'"])
def test_any_name_comes_back(path):
    to_stored(path).encode()
    assert from_stored(to_stored(path)) == path
