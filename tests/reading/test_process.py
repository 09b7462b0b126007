"""The reading process: it hangs, dies, is killed or left behind, and what becomes of that."""
import dataclasses
import multiprocessing
import os
import resource
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mmbt.reading import CountChanged, VideoReadError, probe, process, read_frames, worker
from mmbt.reading.messages import Line
from mmbt.reading.process import probe_isolated, read_isolated
from mmbt.reading.shared_frames import KEPT, SharedFrames

from ..datasets.conftest import write_video

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    """A clip of 12 grey frames."""
    return str(write_video(tmp_path_factory.mktemp('clips') / 'a.mp4'))


def some(facts):
    """Frames to read, one of them twice."""
    return [facts.total_frames - 1, 0, 3, 3]


def child():
    """The id of this thread's reading process, which is made where there is none."""
    return process._process().popen.pid


def gone(pid, seconds=5):
    """Whether a process ends, as seen in /proc; one that only waits to be reaped has."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] in 'ZX':
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


def while_reading(deed):
    """A choice of frames that does something to the process that waits for it."""
    def choose(facts):
        deed(child())
        return some(facts)
    return choose


def test_it_reads_what_is_read_here(clip):
    ours, inds, facts = read_frames(clip, some)
    theirs, their_inds, their_facts = read_isolated(clip, some)
    assert inds == their_inds == [11, 0, 3, 3] and len(theirs) == 4
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs))
    assert theirs[2] is theirs[3] and all(frame.flags.writeable for frame in theirs)
    for known in (their_facts, probe_isolated(clip)):
        assert np.array_equal(known.times, facts.times) and known.notes == facts.notes
        assert dict(vars(known), times=0) == dict(vars(facts), times=0)


def test_a_relative_path_is_told_from_where_the_parent_is(clip, monkeypatch, tmp_path):
    child()
    monkeypatch.chdir(tmp_path)
    for folder in ('one', 'two'):
        write_video(tmp_path / folder / 'a.mp4', 5 if folder == 'one' else 7)
        monkeypatch.chdir(tmp_path / folder)
        assert probe_isolated('a.mp4').total_frames == (5 if folder == 'one' else 7)
    with pytest.raises(VideoReadError, match=r'^b\.mp4 is missing$'):
        probe_isolated('b.mp4')


def test_frames_are_ones_own(clip):
    """What is read next does not change what was read before."""
    first = read_isolated(clip, lambda facts: [0])[0][0]
    before = first.copy()
    read_isolated(clip, lambda facts: [11])
    assert np.array_equal(first, before)


def test_one_process_serves_many_videos_and_every_thread_has_its_own(clip):
    pids = {child() for _ in range(3) if read_isolated(clip, some)}
    assert len(pids) == 1
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: (read_isolated(clip, some), child())[1]).result()
    assert other not in pids and gone(other) and not gone(*pids, seconds=0.05)


def test_a_refusal_leaves_the_process_as_it_was(clip, tmp_path):
    (tmp_path / 'text.mp4').write_text('no video')
    pid = child()
    with pytest.raises(VideoReadError, match=r'text\.mp4 cannot be'):
        read_isolated(str(tmp_path / 'text.mp4'), some)
    with pytest.raises(VideoReadError, match=r'too large: 4 frames'):
        read_isolated(clip, some, max_pixels=4000)
    assert child() == pid and len(read_isolated(clip, some)[0]) == 4


@pytest.mark.parametrize('number, words', [
    (signal.SIGSEGV, 'cannot be decoded: the decoder died of signal 11'),
    (signal.SIGABRT, 'cannot be decoded: the decoder died of signal 6'),
    (signal.SIGKILL, 'cannot be decoded: the decoder was killed \\(signal 9\\), for want of mem'),
])
def test_a_death_is_a_broken_video(clip, number, words):
    with pytest.raises(VideoReadError, match=rf'a\.mp4 {words}[^\n]*$'):
        read_isolated(clip, while_reading(lambda pid: os.kill(pid, number)))
    assert len(read_isolated(clip, some)[0]) == 4


def test_a_hang_is_a_broken_video(clip):
    stopped = []

    def stop(pid):
        stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    start = time.monotonic()
    with pytest.raises(VideoReadError, match=r'a\.mp4 took longer than 0\.3\d* s to read[^\n]*$'):
        read_isolated(clip, while_reading(stop), deadline=0.3)
    assert 0.3 <= time.monotonic() - start < 3 and gone(stopped[0])
    assert len(read_isolated(clip, some)[0]) == 4


def test_what_the_parent_does_meanwhile_does_not_count(clip):
    def choose(facts):
        time.sleep(0.5)  # as a collection of garbage may
        return some(facts)

    child()
    assert read_isolated(clip, choose, deadline=0.4)[1] == [11, 0, 3, 3]


def test_the_deadline_grows_with_the_file(tmp_path):
    (tmp_path / 'long.mp4').touch()
    os.truncate(tmp_path / 'long.mp4', 800_000_000)
    pid = child()
    for path, allowed in ((tmp_path / 'long.mp4', 110), (tmp_path / 'none.mp4', 10)):
        assert process._Until(process._own.process, str(path), 10).allowed == allowed
    assert child() == pid


def test_a_process_that_died_idle_costs_no_video(clip):
    pid = child()
    os.kill(pid, signal.SIGKILL)
    assert gone(pid) and len(read_isolated(clip, some)[0]) == 4 and child() != pid


def test_what_interrupts_the_parent_leaves_no_answer_behind(clip):
    """The next video must not be given the frames of the one before."""
    def choose(facts):
        raise KeyboardInterrupt

    pid = child()
    with pytest.raises(KeyboardInterrupt):
        read_isolated(clip, choose)
    assert gone(pid) and read_isolated(clip, some)[1] == [11, 0, 3, 3]


def test_a_bug_is_no_broken_video(clip):
    child()
    with pytest.raises(RuntimeError, match=r'(?s)a\.mp4: reading failed:\nTraceback.*TypeError'):
        with process._Until(process._own.process, clip, 10) as ask:
            ask('open', path=clip, nonsense=1)
    assert len(read_isolated(clip, some)[0]) == 4


def test_memory_that_runs_out_is_a_broken_video(tmp_path):
    large = str(write_video(tmp_path / 'large.avi', 2, (3000, 2000), codec='MJPG'))
    limits = []

    def starve(pid):
        pages = int(Path(f'/proc/{pid}/statm').read_text().split()[0])
        limits.append(resource.prlimit(pid, resource.RLIMIT_AS))
        held = pages * resource.getpagesize() + 2**20
        resource.prlimit(pid, resource.RLIMIT_AS, (held, limits[0][1]))

    pid = child()
    os.kill(pid, signal.SIGKILL)  # one that has read before has memory left
    assert gone(pid)
    with pytest.raises(VideoReadError, match=r'large\.avi (is too large|cannot be)[^\n]*$'):
        read_isolated(large, lambda facts: (starve(child()), [0, 1])[1], max_pixels=2**28)
    assert 2**32 + 12 * 2**28 < limits[0][0] < 2**33 + 12 * 2**28
    assert resource.prlimit(child(), resource.RLIMIT_CORE)[0] == 0
    assert len(read_isolated(large, lambda facts: [0, 1], max_pixels=2**28)[0]) == 2
    read_isolated(large, lambda facts: [0], max_pixels=None)
    assert resource.prlimit(child(), resource.RLIMIT_AS)[0] == limits[0][1]


class Changing:
    """A video of which decoding finds 9 frames where 12 were promised."""

    def __init__(self, path, max_pixels, allocate):
        self.facts, self.allocate = probe(path), allocate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, frames, max_offset):
        if self.facts.total_frames == 12:
            self.facts = dataclasses.replace(
                self.facts, total_frames=9, times=self.facts.times[:9], notes=('less',))
            raise CountChanged(self.facts)
        return [np.full((1, 1, 3), frame, np.uint8) for frame in frames], frames


def test_frames_are_chosen_anew_where_decoding_finds_others(clip, monkeypatch):
    ours, theirs = socket.socketpair()
    reader = process.ReadingProcess.__new__(process.ReadingProcess)
    reader.line, reader.memory, reader.end = Line(ours), SharedFrames(), ours.close
    monkeypatch.setattr(worker, 'Video', Changing)
    monkeypatch.setattr(worker.resource, 'setrlimit', lambda *_: None)  # it is not this one's own
    thread = threading.Thread(target=worker.serve, args=(theirs, os.dup(reader.memory.fd)))
    thread.start()
    assert reader._answer('', time.monotonic() + 9, 9)[0] == 'ready'
    frames, taken, facts = reader.read(clip, lambda facts: [facts.total_frames - 1, 0], 0, None, 9)
    assert taken == [8, 0] and [frame.item(0) for frame in frames] == [8, 0]
    assert facts.total_frames == len(facts.times) == 9 and facts.notes == ('less',)
    reader.end()
    thread.join()


def leave_behind(clip, pipe, how):
    """Start a reading process in a process of one's own, and end in some way."""
    read_isolated(clip, some)
    pipe.send(child())
    if how == 'killed':
        signal.pause()
    if how == 'os._exit':
        os._exit(0)


@pytest.mark.parametrize('how', ['killed', 'os._exit', 'returns'])
def test_no_orphan_is_left(clip, how):
    mine = child()
    context = multiprocessing.get_context('fork')
    ours, theirs = context.Pipe()
    parent = context.Process(target=leave_behind, args=(clip, theirs, how))
    parent.start()
    assert ours.poll(60)
    pid = ours.recv()
    assert pid != mine
    if how == 'killed':
        parent.kill()
    parent.join()
    assert gone(pid) and child() == mine and len(read_isolated(clip, some)[0]) == 4


def test_a_worker_that_reads_nothing_keeps_no_process_alive(clip):
    """It has inherited the pipe; the process ends with the one that it reads for all the same."""
    read_isolated(clip, some)
    pid, idle = child(), os.fork()
    if not idle:
        time.sleep(30)
        os._exit(0)
    try:
        process._own.process.line.close()  # as a parent that is gone
        assert gone(pid)
    finally:
        os.kill(idle, signal.SIGKILL)
        os.waitpid(idle, 0)


def test_nothing_is_left_of_the_memory(clip):
    """Its file has no name, and is shared by nobody else."""
    read_isolated(clip, some)
    fds = {os.readlink(f'/proc/{child()}/fd/{fd}') for fd in os.listdir(f'/proc/{child()}/fd')}
    assert '/memfd:mmbt-frames (deleted)' in fds and not any('/dev/shm' in name for name in fds)


def test_memory_that_one_large_video_took_is_given_back():
    ours = SharedFrames()
    theirs = SharedFrames(os.dup(ours.fd))
    small = [np.arange(12, dtype=np.uint8).reshape(2, 2, 3), np.zeros((1, 5, 3), np.uint8)]
    for frames in (small, [np.full((KEPT // 3 + 1, 1, 3), 7, np.uint8)], small):
        theirs.clear()
        laid = theirs.allocate(frames[0].shape)
        laid[:] = frames[0]
        places = [theirs.place(frame) for frame in [laid, *frames[1:]]]
        assert places == [0, 12][:len(frames)] and theirs.place(laid) == 0
        for sent, taken in zip(frames, ours.take([frame.shape for frame in frames], places)):
            assert np.array_equal(sent, taken)
    assert os.fstat(ours.fd).st_size <= KEPT
    with pytest.raises(ValueError, match='were promised'):
        ours.take([(KEPT, 2, 3)], [0])
    ours.close(), theirs.close()


def test_a_process_that_does_not_start_says_why(clip, monkeypatch, tmp_path):
    process._own.process.end()
    program = tmp_path / 'start.py'
    text = Path(process.PROGRAM).read_text().replace('Path(__file__)', "Path('/nowhere/x')")
    program.write_text(text)
    monkeypatch.setattr(process, 'PROGRAM', str(program))
    with pytest.raises(RuntimeError, match='(?s)reading failed:.*/nowhere'):
        read_isolated(clip, some)
    program.write_text('raise SystemExit(3)')
    with pytest.raises(RuntimeError, match='does not start: .* ended with status 3'):
        read_isolated(clip, some)
