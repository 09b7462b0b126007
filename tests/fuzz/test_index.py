"""Indexes of videos and journals of results that nobody meant."""
import io
import shutil
import zipfile

import numpy as np
import pytest

from mmbt.files.append_log import Journal
from mmbt.search.fragments import read_fragment, write_fragment
from mmbt.search.moment_index import MomentIndex, VideoRow
from mmbt.search.old_index import read_arrays
from mmbt.search.probe import read_apart
from mmbt.search.windows import Window
from support.fuzz import Door, fuzz

pytestmark = pytest.mark.slow

def write_index(path, **change):
    """Five videos in a file of before, two of them broken."""
    arrays = dict(embeddings=np.eye(3, 4, dtype=np.float32),
                  paths=[f'/videos/{number}ü.mp4' for number in range(3)],
                  stamps=np.array([(10 + number, 10**18) for number in range(3)]),
                  broken=['/videos/x.mp4', '/videos/y.mp4'], reasons=['cut short', 'empty'],
                  made_by=['model', 'pipeline'], model_card=['null'])
    np.savez(path, **{**arrays, **change})


def index_examples(folder):
    write_index(folder / 'example.npz')
    return [folder / 'example.npz']


def load_index(path):
    found = read_arrays(path)
    assert np.isfinite(found['embeddings']).all()
    assert len(found['embeddings']) == len(found['paths'])
    return found


def array_examples(folder):
    """The arrays of an index apart; each is put into a zip with the right checksum."""
    write_index(folder / 'whole.npz')
    (folder / 'example').mkdir()
    with zipfile.ZipFile(folder / 'whole.npz') as file:
        file.extractall(folder / 'example')
    return [folder / 'example']


def load_arrays(folder):
    path = folder.with_suffix('.npz')
    with zipfile.ZipFile(path, 'w') as file:
        for each in folder.iterdir():
            file.write(each, each.name)
    load_index(path)


def journal_examples(folder):
    with Journal(folder / 'example.jsonl', dict(model='a', seed=1)) as journal:
        for number in range(5):
            journal.append(dict(id=f'q{number}', answer='yes'))
    return [folder / 'example.jsonl']


def load_journal(path):
    shutil.copy(path, path.with_name('example.copy'))  # a journal takes out a line cut short
    with Journal(path.with_name('example.copy'), dict(model='a', seed=1)) as journal:
        assert all(isinstance(record, dict) for record in journal.records)


WIDTH = 4


def moments_examples(folder):
    """An index of moments; every file of its two tables, and its settings."""
    index = MomentIndex.create(folder / 'example', WIDTH, dict(model='a'))
    for number in range(3):
        index.add(VideoRow(f'/videos/{number}ü.mp4', 10, 10**18, 6., 2, ''),
                  [Window(0., 4.), Window(2., 6.)], np.eye(4, dtype=np.float32)[:2])
    index.flush()
    index.drop(['/videos/1ü.mp4'])
    shutil.rmtree(folder / 'example' / 'copies', ignore_errors=True)
    return [folder / 'example']


def load_moments(folder):
    read_apart(folder)  # as one that is not known here
    index = MomentIndex.open(folder, dict(model='a'))
    found = index.search(np.eye(4, dtype=np.float32)[0], 10)
    assert all(np.isfinite(each[1:]).all() for each in found)
    for row in index.videos():
        index.windows_of(row.path)
    index.count_windows(), index.errors()


def fragment_examples(folder):
    rows = [(VideoRow(f'/videos/{number}ü.mp4', 10, 10**18, 6., 2, ''),
             [Window(0., 4.), Window(2., 6.)], np.eye(4, dtype=np.float32)[:2], None)
            for number in range(3)]
    return [write_fragment(folder, 'example', rows, width=WIDTH, made_by=dict(model='a'))]


DOORS = [
    Door('index', index_examples, load_index),
    Door('arrays of an index', array_examples, load_arrays),
    Door('journal', journal_examples, load_journal),
    Door('index of moments', moments_examples, load_moments),
    Door('fragment of an index', fragment_examples, read_fragment),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    slow = door.load is load_moments  # a process for each
    tally = fuzz(door, tmp_path, count=1 if slow else 100)
    assert tally.faults == [] and tally.refused > (0 if slow else 20)


def npy(header, data=b''):
    """An .npy file with this header."""
    text = header.encode() + b' ' * (-len(header) % 64) + b'\n'
    return b'\x93NUMPY\x01\x00' + len(text).to_bytes(2, 'little') + text + data


@pytest.mark.parametrize('header', [
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1152921504606846976, 4)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}",
    "{'descr': '<U99999999', 'fortran_order': False, 'shape': (3,)}",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3, 4)}",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (12,)}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + '(' * 200 + ')' * 200 + ")}"])
def test_a_header_that_claims_more_than_there_is_takes_no_memory(header, tmp_path):
    write_index(tmp_path / 'index.npz')
    data = io.BytesIO()
    with zipfile.ZipFile(tmp_path / 'index.npz') as old, zipfile.ZipFile(data, 'w') as new:
        for name in old.namelist():
            new.writestr(name, npy(header, bytes(48)) if name == 'embeddings.npy'
                         else old.read(name))
    (tmp_path / 'index.npz').write_bytes(data.getvalue())
    with pytest.raises(ValueError, match='index.npz is no index of videos, or damaged$'):
        load_index(tmp_path / 'index.npz')


def test_a_packed_index_is_read_and_a_bomb_refused(tmp_path):
    write_index(tmp_path / 'index.npz')
    with zipfile.ZipFile(tmp_path / 'index.npz') as old, zipfile.ZipFile(
            tmp_path / 'packed.npz', 'w', zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert np.array_equal(load_index(tmp_path / 'packed.npz')['embeddings'], np.eye(3, 4))
    with zipfile.ZipFile(tmp_path / 'packed.npz', 'a', zipfile.ZIP_DEFLATED) as file:
        file.writestr('zeros.npy', bytes(100 * 10**6))
    with pytest.raises(ValueError, match='packed.npz is no index of videos, or damaged$'):
        load_index(tmp_path / 'packed.npz')
