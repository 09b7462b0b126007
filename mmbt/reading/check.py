"""Validate every video of a list before use: in parallel, and on where a kill stopped it."""
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.files.append_log import Journal

from .facts import VideoFacts, VideoReadError
from .process import DEADLINE, DecoderDied, TookTooLong, read_isolated
from .video import MAX_PIXELS

WAITING = 4  # videos that wait for each worker


@dataclass(frozen=True)
class Checked:
    """What was found of a video.

    Attributes:
        path: The file, as the list names it.
        status: 'ok', 'broken', 'hang' or 'crash'.
        reason: Why it cannot be read.
        codec, container, pixel_format: FFmpeg's names.
        width, height: As shown.
        rotation: Degrees by which pictures are turned to be upright.
        frames: That are shown.
        claimed_frames: That the header promises.
        seconds: From the start of the first frame to the end of the last.
        rate: Frames a second, on average.
        variable_rate: Whether some frames are shown much longer than others.
        in_order: Whether the whole file is decoded for any frame, which is slow.
        notes: What else a user may want to know.
        bytes: Of the file.
        changed: When it was, in ns.
        took: Seconds that reading took.
    """

    path: str
    status: str = 'ok'
    reason: str = ''
    codec: str = ''
    container: str = ''
    pixel_format: str = ''
    width: int = 0
    height: int = 0
    rotation: int = 0
    frames: int = 0
    claimed_frames: int | None = None
    seconds: float = 0.
    rate: float = 0.
    variable_rate: bool = False
    in_order: bool = False
    notes: str = ''
    bytes: int = 0
    changed: int = 0
    took: float = 0.


def check_video(path: str, frames: int, deadline: float = DEADLINE) -> Checked:
    """Read some frames of a video, first, last and evenly between, as a training would.

    Args:
        path: The file.
        frames: How many, at most.
        deadline: As :func:`.process.read_isolated` takes it.
    """
    size, changed = _stamp(path)
    start = time.perf_counter()
    found: dict[str, Any] = {}
    try:
        found.update(_described(read_isolated(
            path, partial(_spread, frames), max_pixels=MAX_PIXELS, deadline=deadline)[2]))
    except VideoReadError as error:
        status = {TookTooLong: 'hang', DecoderDied: 'crash'}.get(type(error), 'broken')
        found.update(status=status, reason=str(error))
    return Checked(path, bytes=size, changed=changed, took=time.perf_counter() - start, **found)


def _spread(frames: int, facts: VideoFacts) -> list[int]:
    places = np.linspace(0, facts.total_frames - 1, frames).round().astype(int)
    return sorted(set(places.tolist()))


def _described(facts: VideoFacts) -> dict[str, Any]:
    shown_for = np.diff(facts.times)
    varies = len(shown_for) > 1 and shown_for.max() > 1.5 * np.median(shown_for) + 2e-3
    return dict(codec=facts.codec, container=facts.container, pixel_format=facts.pixel_format,
                width=facts.width, height=facts.height, rotation=facts.rotation,
                frames=facts.total_frames, claimed_frames=facts.claimed_frames,
                seconds=float(facts.seconds), rate=float(facts.rate), variable_rate=bool(varies),
                in_order=facts.in_order, notes='; '.join(facts.notes))


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return -1, -1
    return status.st_size, status.st_mtime_ns


def check_videos(paths: Sequence[str], journal: str | Path, workers: int = 1,
                 frames: int = 8, deadline: float = DEADLINE,
                 progress: Callable[[int, int], Any] | None = None) -> list[Checked]:
    """Check videos, each by :func:`check_video`; those of an earlier run are not read again.

    Args:
        paths: The files; one that is named twice is checked once.
        journal: Where results are kept, record by record. A file that has changed since is read
            again.
        workers: Videos read at a time.
        frames: Frames read of each.
        deadline: Seconds for each, and one more for each 8 MB. Defaults to 60.
        progress: Called with how many of how many are done.

    Returns:
        What was found of each path, in their order.

    Raises:
        ValueError: If an argument is not allowed, or the journal is of other settings.
    """
    if workers < 1 or frames < 1 or not deadline > 0:
        raise ValueError('workers and frames must be at least 1 and deadline above 0, got '
                         f'{workers}, {frames} and {deadline:g}')
    paths = list(dict.fromkeys(paths))
    with Journal(journal, dict(checks='videos', frames=frames, deadline=deadline)) as log:
        names = {field.name for field in fields(Checked)}
        known = {record['path']: Checked(**record) for record in log.records
                 if record.keys() == names}
        found = {path: known[path] for path in paths
                 if path in known and _stamp(path) == (known[path].bytes, known[path].changed)}
        todo = [path for path in paths if path not in found]
        for checked in _in_parallel(todo, partial(check_video, frames=frames, deadline=deadline),
                                    workers):
            found[checked.path] = checked
            log.append(asdict(checked))
            if progress is not None:
                progress(len(found), len(paths))
    return [found[path] for path in paths]


def _in_parallel(paths: Sequence[str], check: Callable[[str], Checked], workers: int
                 ) -> Iterator[Checked]:
    """Check in threads, of which each has a reading process; as they are done."""
    left, waiting = iter(paths), set[Future]()
    with ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while len(waiting) < WAITING * workers and (path := next(left, None)) is not None:
                    waiting.add(pool.submit(check, path))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()
