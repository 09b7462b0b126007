"""The filling of an index in a thread of its own, and how far it is."""
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmbt.engine.launch import describe
from mmbt.files.shown import printable
from mmbt.search.jobs import build_if_due
from mmbt.search.stamps import stamp_of
from mmbt.search.video_search import VideoSearch

AT_ONCE = 16  # videos, after which it can be seen what is known of them


@dataclass
class Progress:
    """How far the indexing of a folder is.

    Attributes:
        folder: Which.
        state: 'waiting', 'running', 'done', 'stopped' or 'failed'.
        total: Videos below it.
        done: Of these, those that are in the index, readable or not.
        new: Those of them that were encoded by this run.
        broken: Path -> why, of those that cannot be read.
        error: Why it failed.
        seconds: Since it began.
    """

    folder: str
    state: str = 'waiting'
    total: int = 0
    done: int = 0
    new: int = 0
    broken: dict[str, str] = field(default_factory=dict)
    error: str = ''
    seconds: float = 0.

    @property
    def at_work(self) -> bool:
        """Whether it has not ended."""
        return self.state in ('waiting', 'running')


class _Stopped(Exception):
    pass


class Indexing:
    """Fills the indexes of folders, one at a time.

    Args:
        videos: Gives the videos below a folder.
        search_of: Gives a search with the index that a folder's videos go to, and an encoder that
            calls a function before each batch.
        settings: ``batch_size`` and ``workers`` of :meth:`VideoSearch.add`.
    """

    def __init__(self, videos: Callable[[str], Sequence[str]],
                 search_of: Callable[[str, Callable[[], None]], VideoSearch],
                 **settings: Any) -> None:
        self._videos, self._search_of, self._settings = videos, search_of, settings
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.latest: dict[str, Progress] = {}
        self.current: Progress | None = None

    def start(self, folder: str) -> Progress:
        """Begin, or say how far it is where it has begun.

        Raises:
            ValueError: If another folder's has not ended.
        """
        with self._guard:
            if self.current is not None and self.current.at_work:
                if self.current.folder == folder:
                    return self.current
                raise ValueError(f'{printable(self.current.folder)} is being indexed: wait for it '
                                 'or stop it')
            self.current = self.latest[folder] = Progress(folder)
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, args=(self.current,),
                                            name='mmbt indexing', daemon=True)
            self._thread.start()
            return self.current

    def stop(self) -> None:
        """End it after the batch at hand; what is encoded stays in the index."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended, or so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self, progress: Progress) -> None:
        begin = time.monotonic()

        def watch() -> None:
            progress.seconds = time.monotonic() - begin
            if self._stop.is_set():
                raise _Stopped

        try:
            progress.state = 'running'
            self._fill(progress, watch)
            progress.state = 'done'
        except _Stopped:
            progress.state = 'stopped'
        except Exception as error:
            line = describe(error)
            progress.error = printable(line or f'{type(error).__name__}: {error}')
            progress.state = 'failed'
            if line is None:  # a bug, whose traceback is for the log
                raise
        finally:
            progress.seconds = time.monotonic() - begin

    def _fill(self, progress: Progress, watch: Callable[[], None]) -> None:
        search = self._search_of(progress.folder, watch)
        videos = list(map(os.path.abspath, self._videos(progress.folder)))
        progress.total = len(videos)
        todo = [path for path in videos if not search.index.is_current(path, *stamp_of(path))]
        before = progress.done = len(videos) - len(todo)
        progress.broken = _broken_of(search, videos)

        def count(done: int, total: int) -> None:
            progress.done = before + done

        for start in range(0, len(todo), AT_ONCE):
            part = todo[start:start + AT_ONCE]
            watch()
            progress.new += search.add(part, progress=count, **self._settings)
            before += len(part)
            progress.done = before
            progress.broken = _broken_of(search, videos)
        build_if_due(search.index, lambda line: None)


def _broken_of(search: VideoSearch, videos: Sequence[str]) -> dict[str, str]:
    broken = search.broken
    return {path: broken[path] for path in videos if path in broken}
