"""Lists, their parts, and the leases under which workers take them."""
import io
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mmbt.search.embed import lease as lease_module
from mmbt.search.embed.lease import LeaseLost, Leases, has_died, myself
from mmbt.search.embed.listing import parse_part, read_list, split

from ..support.forked import fork_until_told, kill


def test_a_list_names_each_video_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = b'\xef\xbb\xbfb.mp4\r\n\n  \n/x/a.mp4\nsub/../b.mp4\n/x/\xff\x01.mp4\n'
    (tmp_path / 'list.txt').write_bytes(lines)
    expected = [f'{tmp_path}/b.mp4', '/x/a.mp4', '/x/\udcff\x01.mp4']
    assert read_list('list.txt') == expected
    assert read_list('-', io.BytesIO(lines[3:])) == expected
    (tmp_path / 'sub').mkdir()
    for name in ('z.mp4', 'a.MKV', 'notes.txt'):
        (tmp_path / 'sub' / name).touch()
    assert read_list('sub') == [f'{tmp_path}/sub/a.MKV', f'{tmp_path}/sub/z.mp4']


@pytest.mark.parametrize('name, content, line', [
    ('gone.txt', None, 'gone.txt is missing: name a file with a path a line'),
    ('a.txt', b' \n\n', 'a.txt is empty'),
    ('a.txt', b'x.mp4\n\0\0\n', 'a.txt line 2 is no path'),
    ('a.txt', b'x' * 5000, 'a.txt line 1 is no path'),
    ('.', None, 'no videos in .: none of its files'),
])
def test_a_list_that_is_none(tmp_path, monkeypatch, name, content, line):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=f'^{line}[^\n]*$'):
        read_list(name)


def test_a_video_stays_in_its_part_when_the_list_grows():
    few = [f'/videos/{number}.mp4' for number in range(400)]
    many = [*(f'/more/{number}.mp4' for number in range(600)), *reversed(few)]
    before, after = split(few, 7), split(many, 7)
    assert sorted(path for part in after for path in part) == sorted(many)
    assert all(set(a) <= set(b) and 20 < len(a) < 100 for a, b in zip(before, after))
    assert before[0] == [path for path in few if path in before[0]]


@pytest.mark.parametrize('text, line', [
    ('8/8', '--part 8/8 is out of range: the parts of 8 are 0/8 to 7/8'),
    ('1', 'should be written i/n'), ('-1/4', 'should be written i/n'),
    ('0/0', 'there can be 1 to 1,000,000 parts, got 0'),
])
def test_a_part_that_is_none(text, line):
    with pytest.raises(ValueError, match=line):
        parse_part(text)
    assert parse_part('3/8') == (3, 8)


def test_one_of_many_gets_a_lease(tmp_path, monkeypatch):
    """A free one, and one whose holder is dead; the machine's clock does not matter."""
    monkeypatch.setattr(time, 'time', lambda: 0.)
    leases = Leases(tmp_path / 'leases', 60.)
    start = threading.Barrier(8)

    def take(_):
        start.wait()
        return leases.take('a')

    for number in range(3):
        with ThreadPoolExecutor(8) as pool:
            held, = filter(None, pool.map(take, range(8)))
        assert held.number == number and leases.take('a') is None
        assert leases.holder('a').startswith(f'process {os.getpid()} on ')
        age(held.path, 59)
        assert leases.take('a') is None
        age(held.path, 61)
    assert leases.take('b').number == 0


def age(path, seconds):
    """Let a lease be as old, by the clock of its file system."""
    now = path.parent / 'now'
    now.touch()
    os.utime(path, (now.stat().st_mtime - seconds, ) * 2)


def test_who_was_taken_for_dead_knows_and_breaks_nothing(tmp_path):
    leases = Leases(tmp_path, 60.)
    old = leases.take('a')
    old.must_be_mine()
    age(old.path, 61)
    new = leases.take('a')
    with pytest.raises(LeaseLost, match='^a is with process'):
        old.must_be_mine()
    old.give_back()
    new.must_be_mine()
    new.give_back()
    assert not list(tmp_path.glob('a.*'))
    third = leases.take('a')  # of the number that the first had
    with pytest.raises(LeaseLost):
        old.must_be_mine()
    old.give_back()
    third.must_be_mine()
    assert third.number == 0


def test_a_lease_is_kept_alive_while_it_is_held(tmp_path):
    leases = Leases(tmp_path, 0.4)
    with leases.take('a') as lease:
        time.sleep(0.7)
        assert leases.take('a') is None
        lease.must_be_mine()
    assert leases.take('a') is not None


def hold(folder, machine=None):
    """A worker that takes a lease and keeps it."""
    def work(told):
        if machine:
            lease_module._machine = lambda: machine
        with Leases(folder, 0.4).take('a'):
            told()
            time.sleep(60)
    return fork_until_told(work)


def test_a_dead_worker_of_this_machine_is_known_at_once(tmp_path):
    leases = Leases(tmp_path, 1000.)
    child = hold(tmp_path)
    assert leases.take('a') is None
    os.kill(child, signal.SIGKILL)
    while leases.take('a') is None:  # until the system has ended it; it is not waited for yet
        time.sleep(0.01)
    os.waitpid(child, 0)
    mine = myself()
    assert not has_died(mine) and not has_died(None)
    assert has_died(dict(mine, started='1')) and not has_died(dict(mine, machine='x', pid=1))


def test_a_worker_of_another_machine_is_dead_when_it_stirs_no_more(tmp_path):
    leases = Leases(tmp_path, 0.4)
    child = hold(tmp_path, machine='another')
    time.sleep(0.6)
    assert leases.take('a') is None
    kill(child)
    assert leases.take('a') is None
    time.sleep(0.5)
    assert leases.take('a').number == 1
