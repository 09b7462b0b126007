"""A data loader whose workers read: what hangs or dies is skipped, and no process is left."""
import json
import os
import signal
import time
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope
from torch.utils.data import DataLoader

from mmbt.datasets import CaptionedVideos, ReadFrames, broken_videos
from mmbt.reading import process

from .conftest import write_video

pytestmark = pytest.mark.slow

PIPELINE = [dict(type='ReadFrames', num_frames=2, deadline=2.),
            dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]


def children(pid):
    """Processes below one, by /proc; those that have ended and wait to be reaped are left out."""
    found = []
    for path in Path('/proc').glob('[0-9]*/stat'):
        try:
            state, parent = path.read_text().rsplit(')', 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state not in 'ZX':
            child = int(path.parent.name)
            found += [child, *children(child)]
    return found


@pytest.fixture(autouse=True)
def others(monkeypatch):
    """Reading processes that other threads have had before a test, such as those of a server."""
    found = readers()
    monkeypatch.setattr(readers, 'others', found, raising=False)


def readers():
    """Reading processes of this process and of those below it, but this thread's own and others."""
    own = getattr(process._own, 'process', None)
    found = []
    for pid in children(os.getpid()):
        try:
            command = Path(f'/proc/{pid}/cmdline').read_bytes()
        except OSError:
            continue
        if (b'start_worker' in command and not (own and own.popen.pid == pid)
                and pid not in getattr(readers, 'others', ())):
            found.append(pid)
    return found


def none_left(seconds=5):
    """Whether all of them end."""
    until = time.monotonic() + seconds
    while readers() and time.monotonic() < until:
        time.sleep(0.02)
    return not readers()


class Attacked(CaptionedVideos):
    """Does something to its worker's reading process while that decodes videos of some names."""

    deeds = {'hang.mp4': signal.SIGSTOP, 'crash.mp4': signal.SIGSEGV, 'killed.mp4': signal.SIGKILL}

    def get_data_info(self, idx):
        info = super().get_data_info(idx)
        deed = self.deeds.get(Path(info['filename']).name)
        read = self.pipeline.transforms[0]
        assert isinstance(read, ReadFrames)
        read.sample = Striking(read.sample, deed)
        return info


class Striking:
    """A sampler that sends the reading process a signal, once it waits for the frames wanted."""

    def __init__(self, sample, deed):
        self.sample, self.deed = getattr(sample, 'sample', sample), deed

    def transform(self, results):
        if self.deed is not None:
            os.kill(process._process().popen.pid, self.deed)
        return self.sample.transform(results)


@pytest.fixture
def dataset(tmp_path):
    """Seven videos that can be read and four that cannot."""
    names = [f'{number}.mp4' for number in range(7)] + list(Attacked.deeds)
    for name in names:
        write_video(tmp_path / name)
    (tmp_path / 'loop.mp4').write_text('ffconcat version 1.0\nfile loop.mp4\n')
    (tmp_path / 'ann.json').write_text(json.dumps({name: ['x'] for name in [*names, 'loop.mp4']}))
    with DefaultScope.overwrite_default_scope('mmaction'):
        return Attacked(ann_file=str(tmp_path / 'ann.json'), pipeline=PIPELINE,
                        data_prefix=dict(video=str(tmp_path)))


def test_training_goes_on_and_leaves_no_process_behind(dataset, monkeypatch, tmp_path):
    def write(text, **_):
        with open(tmp_path / 'log', 'a') as file:  # of the workers too, which are forks
            file.write(f'{text}\n')

    monkeypatch.setattr(broken_videos, 'print_log', write)
    dataset.full_init()
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=list)
    seen = [sample['data_samples'].video_id for batch in loader for sample in batch]
    assert len(seen) == 11 and set(seen) == {f'{number}.mp4' for number in range(7)}
    assert dataset.num_broken == 4
    told = (tmp_path / 'log').read_text()
    for words in ('hang.mp4 took longer than 2', 'crash.mp4 cannot be decoded: the decoder died of '
                  'signal 11', 'killed.mp4 cannot be decoded: the decoder was killed',
                  'loop.mp4 is no video but an ffconcat playlist'):
        assert words in told
    assert none_left()


def test_workers_that_are_killed_leave_no_process_behind(dataset):
    dataset.deeds = {}
    loader = DataLoader(dataset, batch_size=1, num_workers=2, collate_fn=list)
    batches = iter(loader)
    next(batches)
    workers = [worker.pid for worker in batches._workers]
    until = time.monotonic() + 5
    while len(readers()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    assert len(readers()) == 2
    torch_s = signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # it raises wherever the program is
    try:
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        assert none_left()
        del batches
    finally:
        signal.signal(signal.SIGCHLD, torch_s)
