"""Videos read by a process of its own, which may hang or die without harm to this one.

A decoder is native code that reads files of strangers: now and then one loops for ever or takes its
process along. Here that is a :class:`VideoReadError` like any other, and the next video is read by
a new process. Each thread that reads has one, made when it is first needed. Frames come through
shared memory.
"""
import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .facts import VideoFacts, VideoReadError
from .messages import Line, Message, unpack_facts
from .shared_frames import SharedFrames

DEADLINE = 60.  # seconds for a video
BYTES_A_SECOND = 8e6  # a file may take a second more for as many bytes
START = 120.  # seconds that the process itself may take to be ready
PROGRAM = str(Path(__file__).with_name('start_worker.py'))
# One thread each, and buffers that glibc keeps for the next frame instead of giving them back.
ENVIRONMENT = dict(OMP_NUM_THREADS='1', OPENBLAS_NUM_THREADS='1', MKL_NUM_THREADS='1',
                   MALLOC_MMAP_THRESHOLD_='33554432', MALLOC_TRIM_THRESHOLD_='268435456')


def read_isolated(path: str, choose: Callable[[VideoFacts], Sequence[int]], max_offset: int = 0,
                  max_pixels: int | None = None, deadline: float = DEADLINE
                  ) -> tuple[list[np.ndarray], list[int], VideoFacts]:
    """Read frames of a video in the reading process of this thread.

    Args:
        path: The file.
        choose: The frames wanted, in the order wanted, of a video of which the facts are known. It
            runs in this process, and again where decoding finds other facts than the file told.
        max_offset: Take frames that are cheaper to decode, at most so many away.
        max_pixels: Of all frames together, at most. Defaults to None: no limit.
        deadline: Seconds that it may take, and one more for each 8 MB of the file. Defaults to 60.

    Returns:
        As many (H, W, 3) RGB uint8 arrays, which frames they are, and the facts.

    Raises:
        VideoReadError: If the file cannot be read, takes longer, or ends the process.
    """
    return _process().read(path, choose, max_offset, max_pixels, deadline)


def probe_isolated(path: str, deadline: float = DEADLINE) -> VideoFacts:
    """What is known of a video without decoding it; for the rest see :func:`read_isolated`."""
    return _process().probe(path, deadline)


class ReadingProcess:
    """A process that reads videos for the thread that made it, and ends with this process."""

    def __init__(self) -> None:
        self.memory = SharedFrames()
        ours, theirs = socket.socketpair()
        with theirs:
            fds = theirs.fileno(), self.memory.fd
            self.popen = subprocess.Popen(
                [sys.executable, '-I', PROGRAM, str(os.getpid()), *map(str, fds),
                 json.dumps(sys.path)], pass_fds=fds, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env={**os.environ, **ENVIRONMENT})
        self.line = Line(ours)
        self.end = weakref.finalize(self, _end, self.popen, self.line, self.memory, os.getpid())
        self._begin()

    def _begin(self) -> None:
        try:
            kind, values, _ = self._answer('', time.monotonic() + START, START)
        except VideoReadError as error:
            self.end()
            raise RuntimeError(f'the process that reads videos does not start:{error}') from None
        assert kind == 'ready', (kind, values)

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self.end.alive and self.popen.poll() is None

    def read(self, path: str, choose: Callable[[VideoFacts], Sequence[int]], max_offset: int,
             max_pixels: int | None, deadline: float
             ) -> tuple[list[np.ndarray], list[int], VideoFacts]:
        """Read frames; see :func:`read_isolated`."""
        with _Until(self, path, deadline) as ask:
            kind, values, raw = ask('open', path=path, folder=_folder(path), max_pixels=max_pixels)
            while kind != 'frames':
                facts = unpack_facts(values, raw)
                frames = [int(frame) for frame in choose(facts)]
                kind, values, raw = ask('read', frames=frames, max_offset=max_offset)
            different = self.memory.take(values['shapes'], values['places'])
            return [different[place] for place in values['order']], values['taken'], facts

    def probe(self, path: str, deadline: float) -> VideoFacts:
        """What is known of a video; see :func:`probe_isolated`."""
        with _Until(self, path, deadline) as ask:
            _, values, raw = ask('open', path=path, folder=_folder(path), max_pixels=None)
            return unpack_facts(values, raw)

    def _answer(self, path: str, until: float, allowed: float) -> Message:
        """The next message, or why there is none.

        Raises:
            VideoReadError: If it is late, a refusal, or the process has died.
        """
        try:
            kind, values, raw = self.line.receive(until)
        except TimeoutError:
            raise TookTooLong(
                f'{path} took longer than {allowed:g} s to read: damaged, or very long (ReadFrames '
                'takes a deadline)') from None
        except (EOFError, OSError):
            raise DecoderDied(f'{path} cannot be decoded: {_death(self.popen)}') from None
        if kind == 'refused':
            raise Refused(values['text'])
        if kind == 'no_memory':
            raise Refused(f'{path} is too large: decoding it takes more than '
                          f'{values["limit"] / 2**30:.1f} GiB')
        if kind == 'bug':
            raise RuntimeError(f'{path}: reading failed:\n{values["text"]}')
        return kind, values, raw


class Refused(VideoReadError):
    """Said by the reading process itself, which goes on."""


class TookTooLong(VideoReadError):
    """The deadline has passed."""


class DecoderDied(VideoReadError):
    """The reading process has died."""


class _Until:
    """Asks the reading process until a deadline, and ends it where it is not left as it was.

    What counts is how long this process waits for answers, not what it does in between.
    """

    def __init__(self, process: ReadingProcess, path: str, deadline: float) -> None:
        size = _size(path)
        self.allowed = deadline + size / BYTES_A_SECOND
        self.left = self.allowed
        self.process, self.path = process, path

    def __enter__(self) -> Callable[..., Message]:
        return self._ask

    def _ask(self, question: str, **values: Any) -> Message:
        with contextlib.suppress(OSError):  # it has died, which its answer will tell
            self.process.line.send(question, **values)
        start = time.monotonic()
        try:
            return self.process._answer(self.path, start + self.left, self.allowed)
        finally:
            self.left -= time.monotonic() - start

    def __exit__(self, kind: type | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Refused):
            self.process.end()


def _size(path: str) -> int:
    """Bytes of a file; 0 of what is none, about which the reading process has the word.

    Raises:
        VideoReadError: If this process, which the other began as, may not read it by now.
    """
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            os.close(os.open(path, os.O_RDONLY))
        return status.st_size
    except PermissionError as error:
        raise VideoReadError(f'{path} cannot be read: {error.strerror}') from error
    except (OSError, ValueError):
        return 0


def _folder(path: str) -> str | None:
    """The folder that a path is told from; None where that is none or does not matter."""
    if os.path.isabs(path):
        return None
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


_own = threading.local()


def processor_time() -> float:
    """Seconds that the reading process of this thread has computed; 0 where there is none."""
    process = getattr(_own, 'process', None)
    if process is None or not process.alive:
        return 0.
    # As clock_getcpuclockid(3) makes it on Linux, which Python does not offer.
    return time.clock_gettime((~process.popen.pid << 3) | 2)


def _process() -> ReadingProcess:
    """The reading process of this thread."""
    process = getattr(_own, 'process', None)
    if process is None or not process.alive:
        _own.process = process = ReadingProcess()
    return process


def _forget() -> None:
    """After a fork: the processes are the other's."""
    global _own
    _own = threading.local()


os.register_at_fork(after_in_child=_forget)


def _end(popen: subprocess.Popen, line: Line, memory: SharedFrames, owner: int) -> None:
    line.close()
    memory.close()
    if os.getpid() != owner:
        popen.returncode = 0  # not ours to wait for
        return
    popen.kill()
    popen.wait()


def _death(popen: subprocess.Popen) -> str:
    """How the reading process ended, as words."""
    try:
        status = popen.wait(timeout=5)
    except subprocess.TimeoutExpired:
        return 'the decoder no longer answers'
    if status == -signal.SIGKILL:
        return 'the decoder was killed (signal 9), for want of memory?'
    return f'the decoder died of signal {-status}' if status < 0 else (
        f'the decoder ended with status {status}')
