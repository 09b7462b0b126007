"""Indexes of before, one embedding a video in an .npz file: taken in, or refused in one line."""
import json
import random

import numpy as np
import pytest

from mmbt.search.moment_index import MomentIndex
from mmbt.search.old_index import read_arrays, read_old
from mmbt.search.windows import Window

from .moments_world import MADE_BY, WIDTH, vectors

PIPELINE = json.dumps(MADE_BY['pipeline'], sort_keys=True)


def write_old(path, **change):
    """Five videos, and one that could not be read."""
    arrays = dict(embeddings=vectors(5, 90), paths=[f'/old/{number}ü.mp4' for number in range(5)],
                  stamps=np.array([(7, number) for number in range(5)]), broken=['/old/x.mp4'],
                  reasons=['empty'], made_by=[MADE_BY['model'], PIPELINE], model_card=['null'])
    np.savez(path, **{**arrays, **change})


def test_an_index_of_before_imports(index, tmp_path):
    write_old(tmp_path / 'old.npz')
    assert index.import_npz(tmp_path / 'old.npz') == 5
    assert index.import_npz(tmp_path / 'old.npz') == 0
    assert index.search(vectors(5, 90)[2], 1)[0][:3] == ('/old/2ü.mp4', 0., 0.)
    again = MomentIndex.open(index.folder)
    assert again.errors() == {'/old/x.mp4': 'empty'} and again.is_current('/old/3ü.mp4', 7, 3)
    windows, rows = again.windows_of('/old/4ü.mp4')
    assert windows == [Window(0., 0.)]
    np.testing.assert_allclose(rows, vectors(5, 90)[4:], atol=1e-3)


@pytest.mark.parametrize('change, words', [
    (dict(made_by=['other', PIPELINE]), 'was made by another model .* than'),
    (dict(made_by=[MADE_BY['model'], '[]']), 'was made by another pipeline than'),
    (dict(embeddings=np.eye(5, 8, dtype=np.float32)), 'has embeddings of 8 channels, not 16'),
    (dict(model_card=[json.dumps(dict(num_heads=8))]), 'num_heads=8, this config says 12'),
    (dict(model_card=['{']), 'its model card is damaged'),
    (dict(paths=['/a'] * 5), "has '/a' twice; make it anew"),
    (dict(embeddings=np.full((5, WIDTH), np.nan, np.float32)), '/old/0ü.mp4.* not of finite')])
def test_what_does_not_belong_is_named(tmp_path, change, words):
    path = tmp_path / 'old.npz'
    write_old(path, **change)
    made_by = {**MADE_BY, 'model_card': dict(num_heads=12)}
    with pytest.raises(ValueError, match=f'^index {path}[^\n]*{words}[^\n]*$'):
        list(read_old(path, made_by, WIDTH, tmp_path))


@pytest.mark.parametrize('change', [
    dict(embeddings=np.zeros((3, WIDTH))), dict(embeddings=np.zeros(5)),
    dict(stamps=np.zeros((5, 2))), dict(made_by=['a']), dict(reasons=[]),
    dict(paths=np.array([f'/{number}' for number in range(5)], object))])
def test_arrays_that_are_none_of_an_index(tmp_path, change):
    path = tmp_path / 'old.npz'
    write_old(path, **change)
    with pytest.raises(ValueError, match=f'^{path} is no index of videos, or damaged$'):
        read_arrays(path)


def test_other_files_are_no_index(tmp_path):
    np.save(tmp_path / 'array.npy', np.eye(3))
    (tmp_path / 'empty.npz').touch()
    (tmp_path / 'text.npz').write_text('no index')
    for name in ('array.npy', 'empty.npz', 'text.npz'):
        with pytest.raises(ValueError, match=f'{name} is no index of videos, or damaged$'):
            read_arrays(tmp_path / name)
    with pytest.raises(FileNotFoundError, match='no.npz is missing'):
        read_arrays(tmp_path / 'no.npz')


def test_cut_or_changed_at_a_hundred_places_each_it_is_whole_or_refused(tmp_path):
    path, places = tmp_path / 'old.npz', random.Random(3)
    write_old(path)
    whole, expected = path.read_bytes(), read_arrays(path)
    kept = 0
    for trial in range(200):
        data = bytearray(whole)
        if trial % 2:
            del data[places.randrange(len(data)):]
        else:
            data[places.randrange(len(data))] ^= 1 << places.randrange(8)
        path.write_bytes(data)
        try:
            arrays = read_arrays(path)
        except ValueError as error:
            assert str(error) == f'{path} is no index of videos, or damaged'
            continue
        kept += 1
        assert all(np.array_equal(arrays[name], expected[name]) for name in arrays)
    assert kept < 60  # times and flags in the headers mean nothing
