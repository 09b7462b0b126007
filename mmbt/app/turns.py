"""One at a time, in the order of coming, and no more waiting than there is room for."""
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

T = TypeVar('T')


class Busy(RuntimeError):
    """So many are waiting that no more may."""


class Turns:
    """A lock that is given in the order in which it was asked for.

    Args:
        most: How many may wait; another one is refused.
    """

    def __init__(self, most: int = 32) -> None:
        self.most = most
        self._guard = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._taken = False

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def taken(self) -> bool:
        """Whether someone has it."""
        return self._taken

    def __enter__(self) -> None:
        with self._guard:
            if not self._taken:
                self._taken = True
                return
            if len(self._waiting) >= self.most:
                raise Busy(f'{self.most} others are waiting already: try again later')
            mine = threading.Event()
            self._waiting.append(mine)
        mine.wait()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._taken = False


class Jobs(Turns):
    """Turns whose work is done by one thread, so that one process reads videos for all who ask.

    Args:
        most: How many may wait; another one is refused.
    """

    def __init__(self, most: int = 32) -> None:
        super().__init__(most)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix='mmbt job')

    def run(self, work: Callable[[], T]) -> T:
        """Do it when its turn has come.

        Raises:
            Busy: If so many wait already.
        """
        with self:
            return self._thread.submit(work).result()
