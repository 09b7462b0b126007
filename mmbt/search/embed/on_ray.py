"""Workers on a Ray cluster: it places them, and starts again what dies."""
import os
import secrets
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType
from typing import Any

from mmbt.files.shown import printable

from .job import Counts, Job
from .listing import split
from .output import Output, check_new
from .running import LONG, SHORT, Report, Worker, parts_of

TRIES = 3  # of a part whose worker dies, after the first
LOCAL = 'local'
STORE = 100 * 2**20  # bytes of the memory that workers share, of which little is used
LOOK = 5.  # seconds between two looks at workers that are not placed


class RayWorker:
    """What runs in a process of Ray's: a worker whose model is loaded at its first task."""

    def __init__(self, job: Job, count: int) -> None:
        self.job, self.count = job, count
        self.worker: Worker | None = None

    def ready(self) -> int:
        """Load the model; return the process."""
        if self.worker is None:
            self.worker = Worker(self.job, self.count)
        return os.getpid()

    def do(self, part: int, paths: Sequence[str]) -> Counts | None:
        """Embed a part, see :meth:`.running.Worker.do`."""
        self.ready()
        assert self.worker is not None
        return self.worker.do(part, paths)


def embed_on_ray(paths: Sequence[str], job: Job, workers: int | None = None,
                 gpus: float | None = None, address: str = LOCAL,
                 report: Report | None = None) -> Counts:
    """Embed the videos of a list on Ray's workers, with the fragments of :func:`.embed_list`.

    Args:
        paths: The videos.
        job: How, and where to: a folder that all machines see. Its device is where a worker has a
            GPU or none.
        workers: How many. Defaults to as many as there is room for.
        gpus: Of a worker, 0.5 for two on one. Defaults to 1 where the cluster has any.
        address: Of a cluster that runs, 'auto' for the one of this machine. Defaults to one that
            is begun here, for this run, and takes nobody's work.
        report: Says how far it is.

    Returns:
        What the parts hold.

    Raises:
        ValueError: If Ray is not installed, the input is wrong, or parts have killed their
            workers again and again.
        OSError: If the disk refuses.
    """
    check_new(job.out)
    paths = list(dict.fromkeys(map(os.path.abspath, paths)))
    report = report or Report(lambda line: None)
    ray = start(address)
    try:
        gpus, count = room(ray, workers, gpus, max(1, job.readers))
        parts = parts_of(job, len(paths))
        job = replace(absolute(job), device='cuda' if gpus else 'cpu', parts=parts)
        cluster = _Cluster(ray, job, len(paths), count, gpus, report)
        return cluster.run(split(paths, parts))
    finally:
        ray.shutdown()


def absolute(job: Job) -> Job:
    """A job with the paths of its files as another process, in another folder, finds them."""
    names = {name: os.path.abspath(path) for name in ('out', 'model', 'weights', 'clip')
             if (path := getattr(job, name)) and (name == 'out' or os.path.exists(path))}
    return replace(job, **names)


def start(address: str) -> ModuleType:
    """Connect to a cluster, or begin one on this machine; return the library.

    Nothing is told to anyone of its use, and there is no dashboard. A cluster that is begun here
    takes work from those alone who know a word that this process makes up.
    """
    os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')
    if address == LOCAL and 'RAY_AUTH_MODE' not in os.environ:
        os.environ['RAY_AUTH_MODE'] = 'token'
        os.environ.setdefault('RAY_AUTH_TOKEN', secrets.token_hex(32))
    try:
        import ray
    except ImportError as error:
        raise ValueError(f"--engine ray needs Ray ({error}): pip install 'mmbt[ray]'") from error
    begun = dict(include_dashboard=False, object_store_memory=STORE) if address == LOCAL else {}
    settings: dict[str, Any] = dict(log_to_driver=False, logging_level='ERROR', **begun)
    try:
        ray.init(address=address, **settings)
    except (ConnectionError, ValueError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f'no Ray cluster answers at --address {printable(address)} '
                         f'({printable(first)[:200]})') from error
    return ray


def room(ray: ModuleType, workers: int | None, gpus: float | None,
         cores: int) -> tuple[float, int]:
    """GPUs of a worker, and how many workers there are to be.

    Raises:
        ValueError: If the cluster has no room for one.
    """
    has = ray.cluster_resources()
    if gpus is None:
        gpus = 1. if has.get('GPU', 0) else 0.
    if gpus < 0 or (workers is not None and workers < 1):
        raise ValueError('--workers must be at least 1 and --gpus-per-worker at least 0, got '
                         f'{workers} and {gpus:g}')
    if workers is not None:
        return gpus, workers
    fits = has.get('GPU', 0) / gpus if gpus else has.get('CPU', 0) / cores
    if fits < 1:
        what = f'{gpus:g} GPUs' if gpus else f'{cores} cores'
        raise ValueError(f"a worker takes {what}, and the cluster has {has.get('CPU', 0):g} cores "
                         f"and {has.get('GPU', 0):g} GPUs: take fewer --readers or "
                         '--gpus-per-worker, or say how many --workers there will be')
    return gpus, int(fits)


class _Died(ValueError):
    """A worker died again and again at the same task."""


class _Cluster:
    """The workers of one run, and the parts that they have."""

    def __init__(self, ray: Any, job: Job, count: int, workers: int, gpus: float,
                 report: Report) -> None:
        self.ray, self.job, self.report = ray, job, report
        cores = 1 if gpus else max(1, job.readers)
        worker = ray.remote(num_cpus=cores, num_gpus=gpus, max_restarts=-1,
                            max_task_retries=TRIES)(RayWorker)
        self.actors = [worker.remote(job, count) for _ in range(workers)]
        self.needs = f'{cores} cores and {gpus:g} GPUs'
        self.starting = {actor.ready.remote(): actor for actor in self.actors}
        self.running: dict[Any, tuple[Any, int]] = {}

    def run(self, parts: Sequence[Sequence[str]]) -> Counts:
        """Have all parts done."""
        waiting, held, total = deque(self._in_order(len(parts))), list[int](), Counts()
        idle: list[Any] = []
        died: _Died | None = None
        patience = SHORT
        while waiting or held or self.running:
            while idle and waiting:
                actor, part = idle.pop(), waiting.popleft()
                self.running[actor.do.remote(part, parts[part])] = actor, part
            if held and not waiting and not self.running:
                if not self.job.wait:
                    break
                self.report.once(f'{len(held):,} parts are with others: waiting for them')
                time.sleep(patience)
                patience = min(2 * patience, LONG)
                waiting, held = deque(held), []
                continue
            for ref in self._finished():
                if ref in self.starting:
                    idle.append(self.starting.pop(ref))
                    self._value(ref, 'while it loaded the model')
                    continue
                actor, part = self.running.pop(ref)
                idle.append(actor)
                try:
                    found = self._value(ref, f'with part {part}')
                except _Died as error:
                    died = error
                    self.report.once(str(error))
                    continue
                if found is None:
                    held.append(part)
                    continue
                patience = SHORT
                total = total.plus(found)
                self.report.parts(total, len(parts))
        if died is not None:
            raise died
        return total

    def _in_order(self, parts: int) -> list[int]:
        """All parts, first those that are not done."""
        try:
            done = Output.open(self.job.out).when_done()
        except FileNotFoundError:
            done = {}
        return sorted(range(parts), key=lambda part: part in done)

    def _finished(self) -> list[Any]:
        refs = [*self.starting, *self.running]
        done, _ = self.ray.wait(refs, num_returns=1, timeout=LOOK)
        if not done and not self.running and self.starting:
            free = self.ray.available_resources()
            self.report.once(f'waiting for Ray to begin a worker: each takes {self.needs}, and '
                             f"free are {free.get('CPU', 0):g} cores and {free.get('GPU', 0):g} "
                             'GPUs')
        return done

    def _value(self, ref: Any, when: str) -> Any:
        """What a task returned; what it raised, as it raised it."""
        try:
            return self.ray.get(ref)
        except self.ray.exceptions.RayActorError:
            raise _Died(f'a worker died {TRIES + 1} times {when}, of memory perhaps; what others '
                        'do is kept: run it again with fewer --readers or a smaller --batch-size'
                        ) from None
        except self.ray.exceptions.RayTaskError as error:
            cause = error.cause
            raise (cause if isinstance(cause, Exception) else error) from None
