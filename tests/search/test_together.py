"""One index that several processes fill, that are killed, on a disk that fills up; and any name."""
import contextlib
import csv
import errno
import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mmbt.files.disk_errors import describe_disk_error
from mmbt.search import jobs, moment_index
from mmbt.search.lance_table import lance
from mmbt.search.moment_index import MomentIndex

from ..support.forked import ForkServer, is_gone, kill_other, wait_until
from ..support.tools import run
from .moments_world import WIDTH, add, assert_same, expected, vectors
from .search_world import opened, write_clip

pytestmark = pytest.mark.slow


def write(folder, name, count, told, many):
    """What a writer runs: videos added one by one, each told when it is committed."""
    moment_index.MANY_FRAGMENTS = many
    index = MomentIndex.open(folder)
    with open(told, 'ab', buffering=0) as file:
        for number in range(count):
            add(index, f'/{name}/{number}.mp4', count=7, seed=number)
            index.flush()
            file.write(f'/{name}/{number}.mp4\n'.encode())


WRITERS = ForkServer(write, lance)


def committed(told):
    """What a writer has told, without a last line that was cut."""
    text = told.read_bytes() if told.exists() else b''
    return set(text[:text.rfind(b'\n') + 1].decode().split())


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
    killed = WRITERS.start(str(folder), 'a', 10**6, str(tmp_path / 'a'), 200)
    other = WRITERS.start(str(folder), 'b', 12, str(tmp_path / 'b'), 200)
    wait_until(lambda: len(committed(tmp_path / 'a')) >= 12)
    kill_other(killed)
    wait_until(lambda: is_gone(other))
    assert len(committed(tmp_path / 'b')) == 12
    found, told = check_whole(folder), committed(tmp_path / 'a')
    assert len(told) >= 12 and told <= found
    assert {f'/b/{number}.mp4' for number in range(12)} <= found
    MomentIndex.open(folder).compact(keep=0.)
    assert check_whole(folder) == found


def test_killed_at_a_hundred_moments_nothing_told_is_lost(tmp_path):
    """Moments of appends, and of the compactions that follow four of them."""
    folder, moments, told = tmp_path / 'index', random.Random(5), set()
    index = MomentIndex.create(folder, WIDTH, {})
    for trial in range(100):
        here = tmp_path / f'told {trial}'
        child = WRITERS.start(str(folder), str(trial), 10**6, str(here), 4)
        wait_until(partial(committed, here) if trial % 2 else here.exists)
        time.sleep(moments.uniform(0, .03))
        kill_other(child)
        told |= committed(here)
        index.refresh()
        found = {row.path for row in index.videos()}
        assert told <= found
        assert len(index.search(vectors(1, trial)[0], 10**6)) == 7 * len(found)
    found = check_whole(folder)
    assert len(told) >= 50 and len(found) - len(told) <= 100
    index.compact(keep=0.)
    assert check_whole(folder) == found
    files = {path.name for path in (folder / 'moments.lance/data').iterdir()}
    index.refresh()
    assert files == {file.path for fragment in index._moments.fragments()
                     for file in fragment.data_files()}  # nothing of the killed is left


@contextlib.contextmanager
def small_disk(folder, size):
    """A disk of so many bytes; skipped where none can be had."""
    folder.mkdir()
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', folder],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f'no small disk can be mounted here: {done.stderr.strip()}')
    try:
        yield
    finally:
        subprocess.run(['umount', '--lazy', folder], check=True)


def test_a_disk_that_fills_up_is_one_line_and_nothing_is_lost(tmp_path):
    disk = tmp_path / 'disk'
    with small_disk(disk, 2**20):
        index = MomentIndex.create(disk / 'index', WIDTH, {})
        ballast, number = disk / 'ballast', 0
        ballast.write_bytes(bytes(600_000))
        with pytest.raises(OSError) as caught:
            for number in range(10**4):
                add(index, f'/a/{number}.mp4', count=400, seed=number)
                index.flush()
        assert caught.value.errno == errno.ENOSPC and number > 1
        line = describe_disk_error(caught.value)
        assert line.startswith(f'{disk / "index"}') and 'No space left' in line and '\n' not in line
        query, name = vectors(1, 3)[0], '/a/{}.mp4'.format
        before = expected(query, range(number), 9, name=name, count=400)
        other = MomentIndex.open(disk / 'index')
        assert other.count_videos() == number
        assert_same(other.search(query, 9), before)
        with pytest.raises(OSError, match='No space left'):  # what was added waits for room
            index.search(query, 1)
        ballast.unlink()
        assert_same(index.search(query, 9),
                    expected(query, range(number + 1), 9, name=name, count=400))
        assert MomentIndex.open(disk / 'index').count_videos() == number + 1
        index.compact(keep=0.)
        assert len(list((disk / 'index/moments.lance/data').iterdir())) == 1
        assert_same(MomentIndex.open(disk / 'index').search(query, 9), expected(
            query, range(number + 1), 9, name=name, count=400))


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
