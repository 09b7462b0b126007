"""The index of moments: what is found, kept and refused."""
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow
import pytest

from mmbt.search import approximate, exact
from mmbt.search.fragments import Embedded, Merged, merge_fragments, read_fragment, write_fragment
from mmbt.search.index import VideoIndex
from mmbt.search.lance_table import from_stored, to_stored
from mmbt.search.moment_index import Found, MomentIndex
from mmbt.search.video_rows import VideoRow
from mmbt.search.windows import Window

WIDTH = 16
MADE_BY = dict(model='0f', pipeline=[dict(type='ReadFrames')], windows=dict(length=4.))


def vectors(count, seed):
    drawn = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def add(index, path, count=10, seed=0, mtime=1, with_baseline=True):
    windows = [Window(2. * number, 2. * number + 4.) for number in range(count)]
    index.add(VideoRow(path, 5, mtime, 2. * count + 2., count, ''), windows, vectors(count, seed),
              vectors(count, seed + 1000) if with_baseline else None)


def a_name(number):
    return f'/videos/{number % 3}/it\'s "ü" {number}\udcff.mp4'


@pytest.fixture
def index(tmp_path):
    made = MomentIndex.create(tmp_path / 'index', WIDTH, MADE_BY)
    for number in range(30):
        add(made, a_name(number), seed=number)
    made.flush()
    return made


def expected(query, numbers, top, column='embedding'):
    """By a loop over float16 vectors, as they are kept."""
    found = []
    for number in numbers:
        kept = {'embedding': vectors(10, number), 'baseline': vectors(10, number + 1000)}
        kept = {name: rows.astype(np.float16).astype(np.float32) for name, rows in kept.items()}
        rows = kept[column] if column != 'time' else kept['embedding'] - kept['baseline']
        found += [Found(a_name(number), 2. * place, 2. * place + 4., float(row @ query))
                  for place, row in enumerate(rows)]
    return sorted(found, key=lambda each: -each.score)[:top]


def assert_same(found, wanted):
    assert [each[:3] for each in found] == [each[:3] for each in wanted]
    np.testing.assert_allclose([each.score for each in found], [each.score for each in wanted],
                               atol=1e-5)


@pytest.mark.parametrize('in_memory', [100_000, 10])
@pytest.mark.parametrize('column', ['embedding', 'baseline', 'time'])
def test_every_window_is_compared(index, column, in_memory, monkeypatch):
    monkeypatch.setattr(exact, 'IN_MEMORY', in_memory)
    for seed in range(3):
        query = vectors(1, 50 + seed)[0]
        assert_same(index.search(query, 12, column=column), expected(query, range(30), 12, column))


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


def test_approximate_search_is_tested_and_says_so(index, monkeypatch):
    for module in (approximate, exact):
        monkeypatch.setattr(module, 'EXACT_BELOW' if module is approximate else 'IN_MEMORY', 50)
    assert approximate.setting_of(index.folder) is None
    report = index.build(recall=.98)
    assert report['kind'] == 'approximate' and report['recall'] >= .98
    assert json.loads((index.folder / 'approximate.json').read_text())['recall'] == report['recall']
    query = vectors(1, 64)[0]
    wanted = expected(query, range(30), 10)
    found = {each[:3] for each in index.search(query, 10)} & {each[:3] for each in wanted}
    assert len(found) >= 9
    scope = index.search(query, 60, scope='/videos/1')
    assert len(scope) == 60 and all(each.path.startswith('/videos/1/') for each in scope)
    add(index, '/later.mp4', seed=64, count=1)  # in no list yet
    assert index.search(query, 1)[0].path == '/later.mp4'
    assert '/later.mp4' not in {each.path for each in index.search(query, 10,
                                                                   exclude_path='/later.mp4')}


def test_recall_counts_what_is_found(monkeypatch):
    answers = iter([[1, 9], [4, 3]])
    monkeypatch.setattr(approximate, 'nearest', lambda *_, **__: pyarrow.table(
        {'_rowid': next(answers)}))
    truth = np.array([[1, 2], [3, 4]], np.uint64)
    recall, _ = approximate.measure(None, None, np.zeros((2, 4)), truth)
    assert recall == .75


def test_a_small_index_stays_exact(index):
    assert index.build() == dict(kind='exact', windows=300, recall=1.)


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


def test_an_index_of_before_imports(index, tmp_path):
    old = VideoIndex(WIDTH)
    for number in range(5):
        old.put(f'/old/{number}.mp4', (7, number), vectors(1, 90 + number)[0])
    old.broken['/old/x.mp4'] = 'empty'
    made_by = MADE_BY['model'], json.dumps(MADE_BY['pipeline'], sort_keys=True)
    old.save(tmp_path / 'old.npz', made_by)
    assert index.import_npz(tmp_path / 'old.npz') == 5
    assert index.import_npz(tmp_path / 'old.npz') == 0
    assert index.search(vectors(1, 92)[0], 1)[0][:3] == ('/old/2.mp4', 0., 0.)
    assert index.errors() == {'/old/x.mp4': 'empty'}
    old.save(tmp_path / 'other.npz', ('other', made_by[1]))
    with pytest.raises(ValueError, match='other.npz was made by another model'):
        index.import_npz(tmp_path / 'other.npz')


def rows_of(numbers, mtime=1):
    return [Embedded(VideoRow(a_name(number), 5, mtime, 22., 10, ''),
                     [Window(2. * place, 2. * place + 4.) for place in range(10)],
                     vectors(10, number), vectors(10, number + 1000)) for number in numbers]


def test_fragments_merge_once(tmp_path):
    bad = Embedded(VideoRow(a_name(9), 5, 1, 0., 0, 'cut short'), [], np.zeros((0, WIDTH)))
    for name, rows in dict(a=rows_of(range(6)), b=[*rows_of(range(4, 9)), bad],
                           c=rows_of([2], mtime=3)).items():
        write_fragment(tmp_path / 'parts', name, rows, width=WIDTH, made_by=MADE_BY)
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out') == Merged(3, 11, 2)
    index = MomentIndex.open(tmp_path / 'out', MADE_BY)
    version = index._moments.data.version
    query = vectors(1, 70)[0]
    assert_same(index.search(query, 9), expected(query, range(9), 9))
    assert index.errors() == {a_name(9): 'cut short'} and index.has_baseline
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out') == Merged(3, 0, 13)
    index.refresh()
    assert index._moments.data.version == version
    write_fragment(tmp_path / 'parts', 'd', rows_of([9]), width=WIDTH, made_by=MADE_BY)
    assert merge_fragments(tmp_path / 'parts', tmp_path / 'out').added == 1  # read at last
    index.refresh()
    assert index.errors() == {} and index.count_windows() == 100


def test_fragments_of_another_model_are_refused(tmp_path):
    write_fragment(tmp_path, 'a', rows_of([0]), width=WIDTH, made_by=MADE_BY)
    write_fragment(tmp_path, 'b', rows_of([1]), width=WIDTH, made_by={**MADE_BY, 'model': 'x'})
    with pytest.raises(ValueError, match='b.fragment.npz was made with another model'):
        merge_fragments(tmp_path, tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='has no fragments'):
        merge_fragments(tmp_path / 'nothing', tmp_path / 'out')
    assert read_fragment(tmp_path / 'a.fragment.npz')[0] == WIDTH


def writer(folder, name, count):
    """What a child process runs: videos added one by one, each told when it is committed."""
    index = MomentIndex.open(folder)
    for number in range(count):
        add(index, f'/{name}/{number}.mp4', count=7, seed=number)
        index.flush()
        os.write(1, f'{number}\n'.encode())


def start(folder, name, count, output):
    """A child process that writes."""
    return subprocess.Popen(
        [sys.executable, '-c', 'import sys; sys.path[:0] = ["tests", "."]; '
         'from tests.search.test_moment_index import writer; '
         f'writer({str(folder)!r}, {name!r}, {count})'], stdout=output)


def check_whole(folder):
    """Every video has all of its windows, and each window a video that is known."""
    index = MomentIndex.open(folder)
    for row in list(index.videos()):
        number = int(row.path.split('/')[-1].split('.')[0])
        windows, rows = index.windows_of(row.path)
        assert len(windows) == row.windows == 7
        np.testing.assert_allclose(rows, vectors(7, number), atol=1e-3)
    found = index.search(vectors(1, 0)[0], 10**6)
    assert len(found) == index.count_windows() == len(set(found))
    return {row.path for row in index.videos()}


def test_two_writers_and_one_is_killed(tmp_path):
    folder = tmp_path / 'index'
    MomentIndex.create(folder, WIDTH, {})
    with open(tmp_path / 'a', 'wb') as first, open(tmp_path / 'b', 'wb') as second:
        killed, other = start(folder, 'a', 10**6, first), start(folder, 'b', 25, second)
        deadline = time.monotonic() + 120
        while (tmp_path / 'a').read_bytes().count(b'\n') < 20 and time.monotonic() < deadline:
            time.sleep(.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert other.wait(120) == 0
    found = check_whole(folder)
    told = (tmp_path / 'a').read_bytes().count(b'\n')
    assert told >= 20 and {f'/b/{number}.mp4' for number in range(25)} <= found
    assert {f'/a/{number}.mp4' for number in range(told)} <= found
    index = MomentIndex.open(folder)
    index.compact(keep=0.)
    assert check_whole(folder) == found


def test_importing_the_package_does_not_import_the_engine():
    code = ('import sys; import mmbt; import mmbt.search.moment_index; '
            'sys.exit(any(name in sys.modules for name in ("lance", "pyarrow.dataset")))')
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
