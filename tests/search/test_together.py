"""One index filled by several processes, cut short, and of files with any name."""
import csv
import os
import random
import time
from pathlib import Path

import numpy as np
import pytest

from mmbt.search import jobs
from mmbt.search.index import VideoIndex

from ..support.forked import fork_until_told, kill
from ..support.tools import run
from .search_world import opened, write_clip

pytestmark = pytest.mark.slow

MADE_BY = ('model', 'pipeline')


def index_of(*names, **changes):
    """An index of videos with these names."""
    index = VideoIndex(2)
    for number, name in enumerate(names):
        index.put(f'/{name}', (number, 1), np.array([1, number], np.float32))
    return index


def names_in(path):
    return sorted(name[1:] for name in VideoIndex.load(path, MADE_BY).videos)


def test_two_that_save_one_file_lose_nothing(tmp_path):
    path = tmp_path / 'index.npz'
    one, two = index_of('a', 'b'), index_of('c')
    one.broken['/x'] = 'broken'
    one.save(path, MADE_BY)
    two.save(path, MADE_BY)
    assert names_in(path) == ['a', 'b', 'c']
    one.put('/d', (4, 1), np.zeros(2, np.float32))
    two.put('/e', (5, 1), np.zeros(2, np.float32))
    one.save(path, MADE_BY)
    two.save(path, MADE_BY)
    assert names_in(path) == ['a', 'b', 'c', 'd', 'e']
    last = VideoIndex.load(path, MADE_BY)
    assert last.broken == {'/x': 'broken'} and len(last.embeddings) == 5
    assert np.array_equal(last.videos['/b'].embedding, [1, 1])


def test_what_was_taken_out_stays_out(tmp_path):
    path = tmp_path / 'index.npz'
    one = index_of('a', 'b')
    one.save(path, MADE_BY)
    two = VideoIndex.load(path, MADE_BY)
    two.put('/c', (3, 1), np.zeros(2, np.float32))
    two.save(path, MADE_BY)
    one.drop('/a')
    one.save(path, MADE_BY)
    assert names_in(path) == ['b', 'c']
    one.put('/a', (9, 9), np.zeros(2, np.float32))
    one.save(path, MADE_BY)
    assert names_in(path) == ['a', 'b', 'c']


def test_what_stood_there_before_is_replaced(tmp_path):
    """Saving is no merging of old and new."""
    path = tmp_path / 'index.npz'
    index_of('a').save(path, MADE_BY)
    os.utime(path, (1, 1))
    index_of('b').save(path, MADE_BY)
    assert names_in(path) == ['b']
    mine = VideoIndex.load(path, MADE_BY)
    index_of('c').save(path, ('another', 'pipeline'))
    mine.save(path, MADE_BY)
    assert names_in(path) == ['b']


def test_who_keeps_the_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr('mmbt.search.index.PATIENCE', 0.)
    path = tmp_path / 'index.npz'

    def keep(told):
        with VideoIndex.locked(path):
            told()
            time.sleep(60)

    child = fork_until_told(keep)
    with pytest.raises(ValueError, match=f'^index {path} is being written by another run .process '
                       f'{child} on [^\n]*wait for it'):
        index_of('a').save(path, MADE_BY)
    kill(child)
    index_of('a').save(path, MADE_BY)


def test_an_index_cut_or_changed_at_a_hundred_places_is_whole_or_refused(tmp_path):
    path, moments = tmp_path / 'index.npz', random.Random(3)
    index_of(*'abcdefgh').save(path, MADE_BY)
    whole, expected = path.read_bytes(), VideoIndex.load(path, MADE_BY)
    kept = 0
    for trial in range(200):
        data = bytearray(whole)
        if trial % 2:
            del data[moments.randrange(len(data)):]
        else:
            data[moments.randrange(len(data))] ^= 1 << moments.randrange(8)
        path.write_bytes(data)
        try:
            loaded = VideoIndex.load(path, MADE_BY)
        except ValueError as error:
            assert str(error) == f'{path} is no index of videos, or damaged'
            continue
        kept += 1
        assert loaded.videos.keys() == expected.videos.keys()
        assert np.array_equal(loaded.embeddings, expected.embeddings)
        assert [each.stamp for each in loaded.videos.values()] == [
            each.stamp for each in expected.videos.values()]
    assert kept < 60  # times and flags in the headers mean nothing


def test_a_name_that_is_not_utf8_is_like_any_other(world, monkeypatch, capsysbinary):
    """In the index, on the screen, in the table and on the sheet."""
    name, shown_name = b'videos/caf\xe9.mp4', b'videos/caf\\udce9.mp4'
    write_clip(world / 'videos/f.mp4', 7)
    os.rename('videos/f.mp4', name)
    Path(os.fsdecode(b'videos/\xe9tat.mp4')).write_text('no video')
    model = ('config.py', 'weights.pth', '--device', 'cpu')
    index = ('--index', 'index')
    for encoded in (6, 0):
        assert run(monkeypatch, 'search', 'index', *model, 'videos', *index, '--workers', 0) is None
        shown = capsysbinary.readouterr()
        assert shown.out == b'index: 6 videos, %d of them encoded now\n' % encoded
        assert b'videos/\\udce9tat.mp4 cannot be' in shown.err
    made = opened()
    assert os.path.abspath(os.fsdecode(name)) in made.paths
    assert os.path.abspath(os.fsdecode(b'videos/\xe9tat.mp4')) in made.broken
    capsysbinary.readouterr()
    assert run(monkeypatch, 'search', 'query', *model, *index, '--text', 'a door', '--sheet',
               'sheet.png') is None
    assert b'  ' + shown_name + b'\n' in capsysbinary.readouterr().out
    assert run(monkeypatch, 'search', 'label', *model, os.fsdecode(name), *index, '--classes', 'a',
               'b', '--csv', 'labels.csv', '--workers', 0) is None
    assert capsysbinary.readouterr().out.startswith(shown_name + b'\n')
    with open('labels.csv', newline='', encoding='utf-8') as file:
        assert list(csv.reader(file))[1][0].encode() == shown_name
    assert jobs.shown(os.path.abspath(os.fsdecode(name))).encode() == shown_name
