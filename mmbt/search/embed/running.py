"""Workers: a model each, that take parts by lease until all are done."""
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from mmbt.files.shown import printable

from ..windows import WindowPlan
from .job import Counts, Job
from .lease import LeaseLost, Leases
from .listing import split
from .output import Output, check_new, name_of
from .part import embed_part

Say = Callable[[str], Any]
SHORT, LONG = 0.25, 10.  # seconds between two looks at what others do, at first and at most


class Worker:
    """A model, and the folder that it writes to.

    Args:
        job: What there is to be done.
        count: Videos of the list, from which the number of parts follows in a new folder.
        model: That of the job, where it is loaded already.

    Raises:
        FileNotFoundError: If the model is missing.
        ValueError: If the model cannot be loaded, or the folder is another's.
        OSError: If the folder cannot be written to.
    """

    def __init__(self, job: Job, count: int, model: Any = None) -> None:
        from ..load import load
        self.job = job
        if model is None:
            model = load(job.model, job.device, weights=job.weights, clip=job.clip,
                         frames=job.frames, dtype=job.dtype)
        self.encoder = model.encoder
        self.plan = plan_of(job, self.encoder.plan)
        self.output = Output.create(job.out, parts_of(job, count), self.encoder.embed_dim,
                                    self.encoder.made_with(self.plan))
        self.leases = Leases(self.output.lease_folder, job.lease)

    def do(self, part: int, paths: Sequence[str],
           progress: Callable[[int, int], Any] | None = None) -> Counts | None:
        """Embed a part; None where another has it.

        Raises:
            OSError, ValueError: As :func:`.part.embed_part`.
        """
        lease = self.leases.take(name_of(part))
        if lease is None:
            return None
        with lease:
            try:
                return embed_part(self.encoder, self.plan, self.output, part, paths, lease,
                                  self.job, progress)
            except LeaseLost:
                return None

    def holder(self, part: int) -> str:
        """Who has a part, in words."""
        return self.leases.holder(name_of(part))


def parts_of(job: Job, count: int) -> int:
    """Into how many parts a list of ``count`` videos is cut."""
    if job.parts is not None:
        return job.parts
    try:
        return Output.open(job.out).parts
    except FileNotFoundError:
        return -(-count // job.per_part)


def plan_of(job: Job, default: WindowPlan) -> WindowPlan:
    """How videos are cut; a window's half where only its length is given.

    Raises:
        ValueError: If windows would leave gaps.
    """
    length = default.length if job.window is None else job.window
    stride = length / 2 if job.stride is None else job.stride
    return WindowPlan(length, stride, job.shots)


def embed_list(paths: Sequence[str], job: Job, part: int | None = None,
               report: 'Report | None' = None, model: Any = None) -> Counts:
    """Embed the videos of a list, or one part of it, into fragments.

    Any number of processes, on any machines, may do so at once for one list and folder, and again
    after they were killed.

    Args:
        paths: The videos.
        job: How, and where to.
        part: The one that is to be done, of ``job.parts``. Defaults to all that nobody else has.
        report: Says how far it is.
        model: As :class:`Worker` takes it.

    Returns:
        What the parts that were done or looked at here hold.

    Raises:
        ValueError: If the input is wrong, or another has the part and ``job.wait`` is not set.
        OSError: If the disk refuses.
    """
    check_new(job.out)
    paths = list(dict.fromkeys(map(os.path.abspath, paths)))
    report = report or Report(lambda line: None)
    worker = Worker(job, len(paths), model)
    parts = split(paths, worker.output.parts)
    total, left = Counts(), set(range(len(parts)) if part is None else [part])
    begun, patience = worker.leases.now(), SHORT
    while left:
        counts = Counts()
        for each in _in_order(left, worker.output.when_done(), begun, part is not None):
            report.begin(each, len(parts))
            found = worker.do(each, parts[each], report.progress)
            if found is not None:
                left.discard(each)
                counts = counts.plus(found)
        total = total.plus(counts)
        if part is None:
            left -= {each for each, when in worker.output.when_done().items() if when >= begun}
        if not left or counts.parts:
            patience = SHORT
            continue
        who = f'{len(left):,} of {len(parts):,} parts are with others ({worker.holder(min(left))})'
        if not job.wait and part is not None:
            raise ValueError(f'{printable(job.out)}: {who}')
        if not job.wait:
            break
        report.once(f'{who}: waiting for them')
        time.sleep(patience)
        patience = min(2 * patience, LONG)
    return total


def _in_order(left: Iterable[int], done: dict[int, float], begun: float,
              all_of_them: bool) -> list[int]:
    """The parts to be tried: first those that are not done, from anywhere in the list.

    Those that others have done since this run began need no second look.
    """
    parts = [part for part in left if all_of_them or done.get(part, begun - 1) < begun]
    random.shuffle(parts)
    return sorted(parts, key=lambda part: part in done)


class Report:
    """Says on a line now and then how far a run is.

    Args:
        say: Called with each line. Defaults to stderr.
        pause: Seconds between two of them.
    """

    def __init__(self, say: Say | None = None, pause: float = 5.) -> None:
        self.say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self.pause = pause
        self.start = self._said = time.monotonic()
        self._where = self._last = ''
        self._before = self._now = 0

    def begin(self, part: int, parts: int) -> None:
        """A part is begun."""
        self._before += self._now
        self._now = 0
        self._where = f'part {part} of {parts}'

    def progress(self, done: int, total: int) -> None:
        """So many of a part's videos are done."""
        self._now = done
        seconds = time.monotonic()
        if seconds - self._said >= self.pause or done == total:
            speed = (self._before + done) / max(seconds - self.start, 1e-9) * 3600
            self._said = seconds
            self.say(f'{self._where}: {done:,} of {total:,} videos; {speed:,.0f} an hour')

    def parts(self, done: Counts, total: int) -> None:
        """So much is done of all parts."""
        seconds = time.monotonic()
        if seconds - self._said >= self.pause or done.parts == total:
            speed = done.encoded / max(seconds - self.start, 1e-9) * 3600
            self._said = seconds
            self.say(f'{done.parts:,} of {total:,} parts: {done.videos + done.broken:,} videos; '
                     f'{speed:,.0f} an hour')

    def fragments(self, done: int, total: int) -> None:
        """So many fragments are merged."""
        if time.monotonic() - self._said >= self.pause or done == total:
            self._said = time.monotonic()
            self.say(f'{done:,} of {total:,} fragments merged')

    def once(self, line: str) -> None:
        """A line that is said again only when it has become another."""
        if line != self._last:
            self._last = line
            self.say(line)
