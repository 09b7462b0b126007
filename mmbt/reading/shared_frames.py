"""Memory for frames that two processes see, and that is gone with the last of them."""
import mmap
import os
import tempfile
from collections.abc import Sequence
from typing import Optional

import numpy as np

# Kept from one video to the next, so that its pages need not be made anew.
KEPT = 64 * 2**20


class SharedFrames:
    """Frames that one process puts and another takes, through a file that has no name.

    Since it has none, nothing is left behind, however the two end.

    Args:
        fd: The descriptor of another process' memory; None makes one.
    """

    def __init__(self, fd: Optional[int] = None) -> None:
        self.fd = _nameless() if fd is None else fd
        self._mapped: Optional[mmap.mmap] = None

    def put(self, frames: Sequence[np.ndarray]) -> None:
        """Lay frames down one behind the other; what was there before is lost."""
        needed = sum(frame.nbytes for frame in frames)
        size = os.fstat(self.fd).st_size
        if needed > size or size > max(needed, KEPT):
            self._mapped = None
            os.ftruncate(self.fd, max(needed, 1))
        place = 0
        for frame in frames:
            target = np.frombuffer(self._map(needed), frame.dtype, frame.size, place)
            np.copyto(target.reshape(frame.shape), frame)
            place += frame.nbytes

    def take(self, shapes: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Copies of the uint8 frames of these shapes that the other process put.

        They lie in one piece of memory, which the allocator keeps for the next video; from many
        small ones it would make and give back every page each time.
        """
        sizes = [int(np.prod(shape)) for shape in shapes]
        together = np.frombuffer(self._map(sum(sizes)), np.uint8, sum(sizes)).copy()
        parts = np.split(together, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, shapes)]

    def _map(self, needed: int) -> mmap.mmap:
        size = os.fstat(self.fd).st_size
        if size < needed:
            raise ValueError(f'{needed} bytes of frames were promised, {size} are there')
        if self._mapped is None or len(self._mapped) != size:
            self._mapped = mmap.mmap(self.fd, size)
        return self._mapped

    def close(self) -> None:
        """Let go of the memory."""
        self._mapped = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _nameless() -> int:
    if hasattr(os, 'memfd_create'):
        return os.memfd_create('mmbt-frames')
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
