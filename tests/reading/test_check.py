"""A list of videos looked at before it is used: rows, copies, what cannot be read, and resuming."""
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmbt.reading import check, process
from mmbt.reading.check import Checked, check_video, check_videos
from mmbt.reading.check_report import find_copies, summary, write_table

from ..datasets.conftest import write_video
from ..support.tools import MMBT
from ..support.tools import run as run_here

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def videos(tmp_path):
    """Two videos, a copy of one, and what is none."""
    write_video(tmp_path / 'a.mp4')
    write_video(tmp_path / 'deep/b.avi', 5, (32, 48), codec='MJPG')
    shutil.copy(tmp_path / 'a.mp4', tmp_path / 'deep/copy.mp4')
    (tmp_path / 'text.mp4').write_text('no video')
    (tmp_path / 'loop.mp4').write_text('ffconcat version 1.0\nfile loop.mp4\n')
    return [str(tmp_path / name) for name in ('a.mp4', 'deep/b.avi', 'deep/copy.mp4', 'loop.mp4',
                                              'text.mp4', 'gone.mp4')]


def test_what_is_found(videos, tmp_path):
    told = []
    found = check_videos(videos, tmp_path / 'journal', workers=2,
                         progress=lambda *counts: told.append(counts))
    assert [video.path for video in found] == videos and told[-1] == (6, 6) and len(told) == 6
    assert [video.status for video in found] == ['ok'] * 3 + ['broken'] * 3
    first, second = found[:2]
    assert (first.codec, first.width, first.height, first.rotation) == ('mpeg4', 64, 48, 0)
    assert (first.frames, first.claimed_frames, first.rate) == (12, 12, pytest.approx(10))
    assert first.seconds == pytest.approx(1.2) and first.bytes == os.stat(videos[0]).st_size
    assert (second.codec, second.width, second.height, second.frames) == ('mjpeg', 32, 48, 5)
    assert not first.variable_rate
    for video in found[3:]:
        assert video.path in video.reason and '\n' not in video.reason and video.frames == 0
    assert find_copies(found) == {videos[2]: videos[0]}
    lines = summary(found, find_copies(found))
    assert lines[0] == '6 videos: 3 can be read, 3 cannot' and lines[1] == '  broken: 3'
    assert '  codec: mpeg4 2, mjpeg 1' in lines and '  size: 64 x 48 2, 32 x 48 1' in lines
    assert lines[-1] == f'  copies of others: 1, such as {videos[2]} of {videos[0]}'


def test_a_second_run_reads_what_is_new_or_changed(videos, tmp_path, monkeypatch):
    first = check_videos([*videos, videos[0]], tmp_path / 'journal')
    seen = []
    monkeypatch.setattr(check, 'check_video',
                        lambda path, **kwargs: (seen.append(path), check_video(path, **kwargs))[1])
    journal = (tmp_path / 'journal').read_bytes()
    (tmp_path / 'journal').write_bytes(journal[:-9])  # a kill's trace
    lost = json.loads(journal.splitlines()[-1])['path']
    assert [video.status for video in check_videos(videos, tmp_path / 'journal')] == [
        video.status for video in first]
    assert seen == [lost]
    write_video(Path(videos[-1]), 3)
    assert check_videos(videos, tmp_path / 'journal')[-1].frames == 3 and len(seen) == 2
    with pytest.raises(ValueError, match='holds results of another frames'):
        check_videos(videos, tmp_path / 'journal', frames=3)
    with pytest.raises(ValueError, match='workers and frames must be at least 1'):
        check_videos(videos, tmp_path / 'journal', workers=0)


@pytest.mark.parametrize('number, status', [(signal.SIGSTOP, 'hang'), (signal.SIGSEGV, 'crash')])
def test_hangs_and_crashes_are_told_apart(videos, monkeypatch, number, status):
    def choose(*_):
        os.kill(process._process().popen.pid, number)
        return [0]

    monkeypatch.setattr(check, '_spread', choose)
    found = check_video(videos[0], frames=2, deadline=0.3)
    assert found.status == status and videos[0] in found.reason
    assert summary([found], {})[1].endswith(': 1')


def test_frames_of_different_lengths_are_seen(tmp_path):
    path = str(tmp_path / 'uneven.mp4')
    with av.open(path, 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height = 32, 32
        for pts in (0, 1, 2, 9):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format='rgb24')
            frame.pts, frame.time_base = pts, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert check_video(path, frames=2).variable_rate


def test_a_table_that_a_spreadsheet_may_open(tmp_path):
    rows = [Checked('=1+1.mp4', reason='-x', seconds=1 / 3, frames=-1), Checked('a\udc80.mp4')]
    write_table(rows, {'a\udc80.mp4': '=1+1.mp4'}, tmp_path / 'table.csv')
    with open(tmp_path / 'table.csv', newline='') as file:
        read = list(csv.DictReader(file))
    assert [row['path'] for row in read] == ["'=1+1.mp4", 'a\\udc80.mp4']
    assert (read[0]['reason'], read[0]['seconds'], read[0]['frames']) == ("'-x", '0.333', '-1')
    assert read[1]['copy_of'] == "'=1+1.mp4"
    write_table([], {}, tmp_path / 'empty.csv')


def run(tmp_path, *args):
    """Run the tool on its own."""
    return subprocess.run([sys.executable, str(MMBT), 'check', *args],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env=dict(os.environ, PYTHONPATH=str(ROOT)))


def test_the_tool(videos, tmp_path):
    """It imports no more than reading needs, which its time shows: torch alone takes longer."""
    (tmp_path / 'list.txt').write_text('\ufeffa.mp4\r\n\r\ndeep/b.avi\n')
    done = run(tmp_path, '--list', 'list.txt', '--root', str(tmp_path), '--workers', '1')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('2 videos: 2 can be read, 0 cannot\n')
    done = run(tmp_path, '.', '--workers', '2', '--out', 'all.csv')
    assert done.returncode == 1 and '5 videos: 3 can be read, 2 cannot' in done.stdout
    assert 'every video is in all.csv' in done.stdout and 'videos: 100%' in done.stderr
    with open(tmp_path / 'all.csv', newline='') as file:
        statuses = {row['path']: row['status'] for row in csv.DictReader(file)}
    assert statuses == {'./a.mp4': 'ok', './deep/b.avi': 'ok', './deep/copy.mp4': 'ok',
                        './loop.mp4': 'broken', './text.mp4': 'broken'}
    done = run(tmp_path, 'nowhere')
    assert done.returncode == 1
    assert done.stderr.startswith('error: nowhere is missing') and done.stderr.count('\n') == 1


def test_the_tool_on_a_config(videos, tmp_path, monkeypatch, capsys):
    (tmp_path / 'ann.json').write_text(json.dumps({'a.mp4': ['x'], 'text.mp4': ['y']}))
    (tmp_path / 'config.py').write_text(
        f"train_dataloader = dict(dataset=dict(type='CaptionedVideos', ann_file='ann.json', "
        f"data_prefix=dict(video={str(tmp_path)!r}), pipeline=[]))\n")
    monkeypatch.chdir(tmp_path)
    for args, code, words in ((('--config', 'config.py'), 1, '2 videos: 1 can be read'),
                              (('--config', 'config.py', '--split', 'val'), None,
                               'has no val_dataloader')):
        end = run_here(monkeypatch, 'check', *args, '--workers', '1')
        assert words in (capsys.readouterr().out if code else str(end))
