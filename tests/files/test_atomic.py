"""Files that are whole whoever is killed, in what order they reach the disk, and what is said."""
import errno
import os
import random
import time

import pytest
import torch

from mmbt.files.atomic import HOST, remove_dead_drafts, whole_file

from ..support.forked import fork_until_told, kill, run_limited

pytestmark = pytest.mark.slow


def drafts(folder):
    return sorted(path.name for path in folder.glob('*.part'))


def test_two_writers_have_drafts_of_their_own(tmp_path):
    path = tmp_path / 'a.json'
    with whole_file(path) as first:
        first.write_text('1')
        with whole_file(path) as second:
            second.write_text('2' * 100)
            assert len(drafts(tmp_path)) == 2
        assert path.read_text() == '2' * 100
    assert path.read_text() == '1' and drafts(tmp_path) == []


def test_the_draft_of_a_living_writer_stays_and_of_a_dead_one_goes(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('old')

    def write(told):
        with whole_file(path) as draft:
            draft.write_text('half')
            told()
            time.sleep(60)

    child = fork_until_told(write)
    left = drafts(tmp_path)
    with whole_file(path) as draft:
        draft.write_text('new')
    with whole_file(tmp_path / 'a.jso') as draft:  # another file's
        draft.write_text('new')
    assert drafts(tmp_path) == left != []
    kill(child)
    with whole_file(tmp_path / 'a.jso') as draft:
        draft.write_text('new')
    assert drafts(tmp_path) == left and path.read_text() == 'new'
    with whole_file(path) as draft:
        draft.write_text('newer')
    assert drafts(tmp_path) == [] and path.read_text() == 'newer'


def test_another_machines_draft_is_left_for_a_day(tmp_path):
    other = 'f' * 4 if HOST != 'f' * 4 else 'e' * 4
    draft = tmp_path / f'a.{other}01234567.part'
    draft.touch()
    (tmp_path / 'a.mine.part').touch()
    remove_dead_drafts(tmp_path / 'a')
    assert draft.exists()
    os.utime(draft, (0, 0))
    remove_dead_drafts(tmp_path / 'a')
    assert drafts(tmp_path) == ['a.mine.part']


def test_twenty_kills_of_two_writers_leave_a_whole_file(tmp_path):
    """Each writes a letter of its own, many times over."""
    path, moments = tmp_path / 'a', random.Random(5)

    def write(letter, told):
        while True:
            with whole_file(path) as draft:
                draft.write_text(letter * 200_000)
            told()

    for _ in range(10):
        children = [fork_until_told(lambda told, letter=letter: write(letter, told))
                    for letter in 'ab']
        time.sleep(moments.random() * 0.02)
        for child in children:
            kill(child)
        assert path.read_text() in ('a' * 200_000, 'b' * 200_000)
    with whole_file(path) as draft:
        draft.write_text('c')
    assert drafts(tmp_path) == []


def test_the_draft_is_on_the_disk_before_it_takes_the_place(tmp_path, monkeypatch):
    order, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda fd: order.append(
        os.path.basename(os.readlink(f'/proc/self/fd/{fd}'))) or fsync(fd))
    monkeypatch.setattr(os, 'replace', lambda a, b: order.append('replace') or replace(a, b))
    with whole_file(tmp_path / 'a') as draft:
        draft.write_text('1')
    assert order == [draft.name, 'replace', tmp_path.name]


def test_an_error_leaves_what_was_there(tmp_path):
    (tmp_path / 'a').write_text('old')
    with pytest.raises(KeyError), whole_file(tmp_path / 'a') as draft:
        draft.write_text('half')
        raise KeyError
    assert (tmp_path / 'a').read_text() == 'old' and drafts(tmp_path) == []


@pytest.mark.parametrize('name', ['x' * 255, 'é' * 127, 'caf\udce9.mp4'])
def test_any_name_that_the_disk_takes(tmp_path, name):
    with whole_file(tmp_path / name) as draft:
        draft.write_text('1')
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('write', [
    lambda draft: draft.write_bytes(bytes(10_000)),
    lambda draft: torch.save(torch.zeros(10_000), draft),
    lambda draft: torch.save(torch.zeros(10_000), str(draft)),
])
def test_what_the_disk_refuses_names_the_file(tmp_path, write):
    """torch's own writer says ``unexpected pos 64 vs 0``, of no file."""
    path = tmp_path / 'a.pth'
    path.write_text('old')

    def work():
        with whole_file(path) as draft:
            write(draft)

    code, _ = run_limited(work, largest=4000)
    assert code.splitlines()[-1] == f"OSError: [Errno {errno.EFBIG}] File too large: '{path}'"
    assert path.read_text() == 'old' and drafts(tmp_path) == []


def test_a_folder_that_cannot_be_written_to_names_the_file():
    with pytest.raises(OSError, match=r"'/sys/kernel/no/a.json'$"):  # neither root may
        with whole_file('/sys/kernel/no/a.json'):
            pass


def test_an_error_about_another_file_is_passed_on(tmp_path):
    with pytest.raises(FileNotFoundError, match="'no/b'"), whole_file(tmp_path / 'a'):
        open('no/b')
