"""The reading process' side: it decodes what it is asked for, one video at a time."""
import errno
import os
import resource
import socket
import traceback
from collections.abc import Sequence
from typing import Any

from .facts import CountChanged, VideoFacts, VideoReadError
from .messages import Line, pack_facts
from .shared_frames import SharedFrames
from .video import Video

# What decoding may take beyond the frames wanted: references of 8K video, packets, filters.
DECODING = 4 * 2**30
PIXEL = 12  # bytes: decoded, converted, and shared


class Worker:
    """Answers the questions of one connection.

    Args:
        end: Of a connection to the process that it reads for.
        memory: The descriptor of the memory that frames go to.
    """

    def __init__(self, end: socket.socket, memory: int) -> None:
        self.line = Line(end)
        self.memory = SharedFrames(memory)
        self.video: Video | None = None
        self.begun_with = _address_space()

    def answer(self, kind: str, values: dict[str, Any]) -> None:
        """Do what a message asks for, and say what came of it."""
        try:
            getattr(self, f'_{kind}')(**values)
        except Exception as error:
            self._close()
            if _out_of_memory(error):
                self.line.send('no_memory', limit=resource.getrlimit(resource.RLIMIT_AS)[0])
            elif isinstance(error, VideoReadError):
                self.line.send('refused', text=str(error))
            else:
                self.line.send('bug', text=traceback.format_exc())

    def _open(self, path: str, folder: str | None, max_pixels: int | None) -> None:
        self._close()
        if folder is not None:  # what the path is told from, which may be another since
            os.chdir(folder)
        self._limit_memory(max_pixels)
        self.video = Video(path, max_pixels, self.memory.allocate)
        self.video.__enter__()
        self._tell('facts', self.video.facts)

    def _read(self, frames: Sequence[int], max_offset: int) -> None:
        assert self.video is not None
        self.memory.clear()
        try:
            read, taken = self.video.read(frames, max_offset)
        except CountChanged as changed:
            self._tell('changed', changed.facts)
            return
        self._close()
        different = {id(frame): frame for frame in read}
        order = {key: place for place, key in enumerate(different)}
        self.line.send('frames', taken=list(taken), order=[order[id(frame)] for frame in read],
                       shapes=[frame.shape for frame in different.values()],
                       places=[self.memory.place(frame) for frame in different.values()])

    def _tell(self, kind: str, facts: VideoFacts) -> None:
        values, raw = pack_facts(facts)
        self.line.send(kind, raw, **values)

    def _close(self) -> None:
        video, self.video = self.video, None
        if video is not None:
            video.__exit__(None, None, None)

    def _limit_memory(self, max_pixels: int | None) -> None:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = resource.RLIM_INFINITY
        if max_pixels is not None:
            wanted = self.begun_with + DECODING + PIXEL * max_pixels
        if hard != resource.RLIM_INFINITY:
            wanted = hard if wanted == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


def _out_of_memory(error: BaseException | None) -> bool:
    """Whether memory that was not to be had is behind an error."""
    while error is not None:
        if isinstance(error, MemoryError) or getattr(error, 'errno', None) == errno.ENOMEM:
            return True
        error = error.__cause__ or error.__context__
    return False


def _address_space() -> int:
    """Bytes that this process has mapped; 0 where the system does not say."""
    try:
        with open('/proc/self/statm') as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def serve(end: socket.socket, memory: int) -> None:
    """Answer until the other side closes the connection."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    worker = Worker(end, memory)
    worker.line.send('ready')
    while True:
        try:
            kind, values, _ = worker.line.receive()
        except (EOFError, OSError):
            return
        worker.answer(kind, values)
