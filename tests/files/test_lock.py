"""Locks that name their holder, and that no dead process keeps."""
import fcntl
import os
import random
import re
import signal
import socket
import threading
import time

import pytest

from mmbt.files.lock import Lock, Locked

from ..support.forked import finish, fork, fork_until_told, kill

pytestmark = pytest.mark.slow


def test_the_second_is_refused_in_one_line_that_names_the_first(tmp_path):
    path = tmp_path / 'a.npz.lock'
    with Lock(path):
        with pytest.raises(Locked) as caught:
            Lock(path).acquire()
        assert re.fullmatch(
            re.escape(f'{tmp_path}/a.npz is being written by another run (process {os.getpid()} '
                      f'on {socket.gethostname()} since ') + r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\); '
            'wait for it, or write elsewhere', str(caught.value))
    assert list(tmp_path.iterdir()) == []
    with Lock(path), Lock(tmp_path / 'b.lock'):
        pass


def hold(path):
    def work(told):
        with Lock(path):
            told()
            time.sleep(60)
    return work


def test_a_killed_holder_holds_no_more_even_where_its_children_live(tmp_path):
    path = tmp_path / 'lock'

    def with_child(told):
        with Lock(path):
            (tmp_path / 'child').write_text(str(fork(lambda: time.sleep(60))))
            told()
            time.sleep(60)

    child = fork_until_told(with_child)
    with pytest.raises(Locked, match=f'process {child} on'):
        Lock(path).acquire()
    kill(child)
    with Lock(path, wait=30):  # its child may just be about to let go of what it was born with
        assert str(os.getpid()) in path.read_text()
    os.kill(int((tmp_path / 'child').read_text()), signal.SIGKILL)


def test_a_forked_child_does_not_give_its_parents_lock_back(tmp_path):
    with Lock(tmp_path / 'lock') as lock:
        finish(fork(lock.release))
        with pytest.raises(Locked):
            Lock(tmp_path / 'lock').acquire()


def test_who_waits_gets_it(tmp_path):
    lock = Lock(tmp_path / 'lock')
    lock.acquire()
    threading.Timer(0.2, lock.release).start()
    begin = time.monotonic()
    with Lock(tmp_path / 'lock', wait=30):
        assert 0.1 < time.monotonic() - begin < 10
    with lock, pytest.raises(Locked):
        Lock(tmp_path / 'lock', wait=0.1).acquire()


def test_one_at_a_time(tmp_path):
    """Three processes raise a number in a file, 20 times each."""
    number = tmp_path / 'number'
    number.write_text('0')

    def count():
        for _ in range(20):
            with Lock(tmp_path / 'lock', wait=60):
                value = int(number.read_text())
                time.sleep(random.random() * 0.001)
                number.write_text(str(value + 1))

    for child in [fork(count) for _ in range(3)]:
        finish(child)
    assert number.read_text() == '60'


@pytest.mark.parametrize('content', [b'', b'\xff\x00', b'[1]', b'{"host": 1}', b'[' * 4000,
                                     b'{"pid": 1e400, "host": [], "since": {}}'])
def test_a_holder_without_a_name_is_refused_as_well(tmp_path, content):
    path = tmp_path / 'lock'
    path.write_bytes(content)
    with open(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(Locked, match='another run') as caught:
            Lock(path).acquire()
        assert '\n' not in str(caught.value)
    with Lock(path):  # what is left of a dead one stands in nobody's way
        pass


def test_without_locks_of_the_file_system_the_name_tells(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(37, 'No locks available')

    child = fork_until_told(hold(tmp_path / 'lock'))
    monkeypatch.setattr(fcntl, 'flock', no_locks)
    with pytest.warns(UserWarning, match='has no locks'), pytest.raises(Locked, match=str(child)):
        Lock(tmp_path / 'lock').acquire()
    kill(child)
    with pytest.warns(UserWarning, match='has no locks'), Lock(tmp_path / 'lock'):
        pass


def test_a_folder_that_cannot_be_written_to_is_named():
    with pytest.raises(OSError, match=r"'/sys/kernel/no/a.lock'"):
        Lock('/sys/kernel/no/a.lock').acquire()
