"""Folders of strangers: nothing of them is run or waited for, and one line says what is wrong."""
import json
import os
import random
import shutil
import time

import pytest

from mmbt.search import probe
from mmbt.search.moment_index import MomentIndex

from .moments_world import MADE_BY, WIDTH, add, vectors


@pytest.fixture
def theirs(index, tmp_path):
    """A copy of the index, which is not known here."""
    shutil.copytree(index.folder, tmp_path / 'theirs')
    return tmp_path / 'theirs'


def refused(folder, words, **kwargs):
    """Opened and searched, it is one line that names the folder, at once."""
    begun = time.monotonic()
    with pytest.raises((ValueError, FileNotFoundError), match=words) as caught:
        MomentIndex.open(folder, **kwargs).search(vectors(1, 0)[0], 5)
    assert '\n' not in str(caught.value) and str(folder) in str(caught.value)
    assert time.monotonic() - begun < 60


def newest(folder, pattern):
    return max(folder.glob(pattern), key=os.path.getmtime)


def cut_manifest(folder):
    path = min((folder / 'moments.lance/_versions').glob('*.manifest'))  # the newest version's
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def random_data(folder):
    path = newest(folder, 'moments.lance/data/*')
    path.write_bytes(random.Random(0).randbytes(path.stat().st_size))


def no_lance(folder):
    shutil.rmtree(folder / 'videos.lance')
    (folder / 'videos.lance').mkdir()
    (folder / 'videos.lance' / 'run.py').write_text('raise SystemExit(3)')


@pytest.mark.parametrize('damage', [cut_manifest, random_data, no_lance])
def test_damage_is_met_by_another_process(theirs, damage):
    damage(theirs)
    refused(theirs, 'cannot be read or is damaged .*; make it anew')


@pytest.mark.parametrize('settings', [
    '{"form": "mmbt moments 1", "width": 16, "made_by": 3}',
    '{"form": "mmbt moments 1", "width": 16, "made_by": {"windows": {"length": "x"}}}',
    '{"form": "mmbt moments 1", "width": 16, "made_by": {"windows": [1]}}',
    '{"form": "mmbt moments 1", "width": 1e9, "made_by": {}}',
    '{"form": "mmbt moments 1", "width": 99999999, "made_by": {}}',
    '{"form": "mmbt moments 1", "width": true, "made_by": {}}',
    '{"form": "mmbt moments 1", "width": ' + '9' * 5000 + ', "made_by": {}}',
    '[' * 100_000, '', 'null', '\x00'])
def test_settings_that_cannot_be(theirs, settings):
    (theirs / 'index.json').write_text(settings)
    refused(theirs, '.')


def test_a_card_that_is_none(theirs):
    good = json.loads((theirs / 'index.json').read_text())
    for card in ([1], 'x', dict(num_heads='many'), dict(num_heads=[[]])):
        good['made_by']['model_card'] = card
        (theirs / 'index.json').write_text(json.dumps(good))
        refused(theirs, 'model_card', made_by={**MADE_BY, 'model_card': dict(num_heads=8)})


def test_links_and_pipes_are_not_followed(theirs):
    data = newest(theirs, 'moments.lance/data/*')
    data.unlink()
    os.symlink('/etc/passwd', data)
    refused(theirs, 'which is no file but a link, a pipe or a device')
    data.unlink()
    os.mkfifo(data)  # who reads it waits for ever
    refused(theirs, 'which is no file but a link, a pipe or a device')
    data.unlink()
    (theirs / 'index.json').unlink()
    os.mkfifo(theirs / 'index.json')
    refused(theirs, 'is missing: it has no index.json')


def test_what_never_ends_is_given_up(theirs, monkeypatch):
    monkeypatch.setattr(probe, 'PATIENCE', .2)
    monkeypatch.setattr(probe, 'PROBE', 'import time; time.sleep(60)')
    refused(theirs, 'reading it through took more than 0 s; make it anew')


def test_a_strangers_copies_are_checked(theirs, monkeypatch):
    """Copies of vectors come with the folder: rows of no table end in a line too."""
    monkeypatch.setattr('mmbt.search.exact.IN_MEMORY', 10)
    shutil.rmtree(theirs / 'copies', ignore_errors=True)
    MomentIndex.open(theirs).search(vectors(1, 0)[0], 5)
    for path in (theirs / 'copies').iterdir():
        path.write_bytes(b'\xff' * 8 + path.read_bytes()[8:])  # the first row's address
    index = MomentIndex.open(theirs)
    with pytest.raises(ValueError, match='damaged[^\n]*$'):
        index.search(vectors(1, 0)[0], 300)


def test_an_index_is_read_through_once(theirs, monkeypatch):
    calls = []
    monkeypatch.setattr(probe, 'read_apart', lambda folder, much: calls.append(much))
    MomentIndex.open(theirs)
    MomentIndex.open(theirs).search(vectors(1, 0)[0], 5)
    assert calls == ['whole']  # as it is small
    shutil.move(theirs, theirs.with_name('moved'))
    MomentIndex.open(theirs.with_name('moved'))
    assert calls == ['whole'] * 2
    mark = probe.mark_of(theirs.with_name('moved'))
    assert mark.parent == probe.mark_of(theirs).parent and len(mark.read_text().splitlines()) == 3


def test_vectors_of_a_large_one_are_read_through_before_they_are_all_read(theirs, monkeypatch):
    monkeypatch.setattr(probe, 'SMALL', 0)
    calls = []
    monkeypatch.setattr(probe, 'read_apart', lambda folder, much: calls.append(much))
    index = MomentIndex.open(theirs)
    index.windows_of(next(index.videos()).path)
    assert calls == ['outline']
    index.search(vectors(1, 0)[0], 5)
    MomentIndex.open(theirs).search(vectors(1, 0)[0], 5)
    assert calls == ['outline', 'whole']


def test_the_outline_of_a_sound_index_is_sound(theirs, monkeypatch):
    monkeypatch.setattr(probe, 'SMALL', 0)
    index = MomentIndex.open(theirs)
    add(index, '/new.mp4')
    assert index.count_videos() == 31


def test_marks_of_indexes_that_are_gone_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(probe, 'MOST_MARKS', 2)
    for name in 'abc':
        MomentIndex.create(tmp_path / name, WIDTH, {})
        if name != 'c':
            shutil.rmtree(tmp_path / name)
    marks = list((tmp_path / 'cache/mmbt/indexes').iterdir())
    assert marks == [probe.mark_of(tmp_path / 'c')]
