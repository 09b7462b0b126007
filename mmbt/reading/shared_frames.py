"""Memory for frames that two processes see, and that is gone with the last of them."""
import mmap
import os
import tempfile
from collections.abc import Sequence

import numpy as np

# Kept from one video to the next, so that its pages need not be made anew.
KEPT = 64 * 2**20


class SharedFrames:
    """Frames that one process lays down and another takes, through a file that has no name.

    Since it has none, nothing is left behind, however the two end.

    Args:
        fd: The descriptor of another process' memory; None makes one.
    """

    def __init__(self, fd: int | None = None) -> None:
        self.fd = _nameless() if fd is None else fd
        self._mapped: mmap.mmap | None = None
        self._laid: dict[int, tuple[int, np.ndarray]] = {}
        self._end = 0

    def clear(self) -> None:
        """Let the next frame lie at the start, in the place of what was there."""
        self._laid, self._end = {}, 0
        if os.fstat(self.fd).st_size > KEPT:
            self._mapped = None
            os.ftruncate(self.fd, KEPT)

    def allocate(self, shape: Sequence[int]) -> np.ndarray:
        """A uint8 array in this memory, behind those that were asked for before."""
        count, start = int(np.prod(shape)), self._end
        self._end += count
        size = os.fstat(self.fd).st_size
        if self._end > size:
            os.ftruncate(self.fd, max(self._end, min(2 * size, KEPT)))
        frame = np.frombuffer(self._map(self._end), np.uint8, count, start).reshape(shape)
        self._laid[id(frame)] = start, frame
        return frame

    def place(self, frame: np.ndarray) -> int:
        """Where a frame lies; one that was allocated elsewhere is laid down here."""
        if id(frame) not in self._laid:
            laid = self.allocate(frame.shape)
            np.copyto(laid, frame)
            self._laid[id(frame)] = self._laid[id(laid)][0], frame
        return self._laid[id(frame)][0]

    def take(self, shapes: Sequence[Sequence[int]], places: Sequence[int]) -> list[np.ndarray]:
        """Copies of the frames that the other process laid down.

        They go to one piece of memory, which the allocator keeps for the next video; for many
        small ones it would make and give back every page each time.
        """
        sizes = [int(np.prod(shape)) for shape in shapes]
        mapped = self._map(max(map(sum, zip(places, sizes))))
        together: np.ndarray = np.empty(sum(sizes), np.uint8)
        frames, start = [], 0
        for shape, size, place in zip(shapes, sizes, places):
            frame = together[start:start + size]
            np.copyto(frame, np.frombuffer(mapped, np.uint8, size, place))
            frames.append(frame.reshape(shape))
            start += size
        return frames

    def _map(self, needed: int) -> mmap.mmap:
        size = os.fstat(self.fd).st_size
        if size < needed:
            raise ValueError(f'{needed} bytes of frames were promised, {size} are there')
        if self._mapped is None or len(self._mapped) != size:
            self._mapped = mmap.mmap(self.fd, size)
        return self._mapped

    def close(self) -> None:
        """Let go of the memory."""
        self._mapped, self._laid = None, {}
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _nameless() -> int:
    if hasattr(os, 'memfd_create'):
        return os.memfd_create('mmbt-frames')
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
