"""The clips of many videos, read ahead by threads that each have a reading process."""
from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from torch import Tensor

from mmbt.reading import VideoReadError

from .window_clips import Timeline, WindowReader
from .windows import WindowPlan

AHEAD = 16  # clips that each thread has read at most


class Begin(NamedTuple):
    """A video's clips follow; where it has begun before, in the place of those."""

    timeline: Timeline


class Broken(NamedTuple):
    """A video cannot be read."""

    why: str


class End(NamedTuple):
    """All of a video has come."""


Event: TypeAlias = Begin | Tensor | Broken | End


def read_videos(reader: WindowReader, paths: Sequence[str], plan: WindowPlan,
                workers: int = 0) -> Iterator[tuple[str, Event]]:
    """Read videos in their order: of each a beginning, its clips, and its end or why it has none.

    Args:
        reader: Reads a video's clips.
        paths: The files.
        plan: How they are cut.
        workers: Threads that read ahead, video by video in turn; 0 reads in this one. What they
            hold is bounded: a long video lets the others wait.
    """
    if workers == 0:
        for path in paths:
            for event in _events(reader, path, plan):
                yield path, event
        return
    workers = min(workers, max(len(paths), 1))
    queues: list[queue.Queue[Event | BaseException]] = [queue.Queue(AHEAD) for _ in range(workers)]
    over = threading.Event()

    def work(place: int) -> None:
        try:
            for path in paths[place::workers]:
                for event in _events(reader, path, plan):
                    queues[place].put(event)
                    if over.is_set():
                        return
        except BaseException as error:  # for the one that waits
            queues[place].put(error)

    threads = [threading.Thread(target=work, args=(place,), daemon=True, name=f'reads {place}')
               for place in range(workers)]
    try:
        for thread in threads:
            thread.start()
        for number, path in enumerate(paths):
            is_over = False
            while not is_over:
                found = queues[number % workers].get()
                if isinstance(found, BaseException):
                    raise found
                yield path, found
                is_over = isinstance(found, (End, Broken))
    finally:
        over.set()
        for waiting in queues:  # one that has no room left would never see that it is over
            while not waiting.empty():
                waiting.get_nowait()


def _events(reader: WindowReader, path: str, plan: WindowPlan) -> Iterator[Event]:
    known = None
    try:
        for timeline, _, clip in reader.clips(path, plan):
            if timeline is not known:
                known = timeline
                yield Begin(timeline)
            yield clip
    except VideoReadError as error:
        yield Broken(str(error))
        return
    yield End()
