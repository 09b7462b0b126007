"""Long lists of annotations in a few buffers, which data-loading workers share after a fork.

A Python object costs its header, and its count of references is written to whenever it is read,
which gives each worker a copy of its own. Bytes in one buffer cost neither.
"""
import pickle
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np


class TextList:
    """Texts that are appended to one buffer."""

    def __init__(self) -> None:
        self._bytes, self._ends = bytearray(), array('q', [0])

    def append(self, text: str) -> None:
        """Add a text at the end."""
        self._bytes += text.encode('utf-8', 'surrogatepass')
        self._ends.append(len(self._bytes))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        start, end = self._ends[index], self._ends[index + 1]
        return self._bytes[start:end].decode('utf-8', 'surrogatepass')


class Lazy(Sequence):
    """A sequence whose entries are made when they are read; subclasses give ``_entry``."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._entry(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f'index {index} of {len(self)} entries')
        return self._entry(index % len(self))

    def __iter__(self) -> Iterator:
        return map(self._entry, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(
            ours == theirs for ours, theirs in zip(self, other))

    __hash__ = None  # type: ignore[assignment]  # as Python has it of what is not hashable

    def __repr__(self) -> str:
        return f'{type(self).__name__} of {len(self)} entries'

    def _entry(self, index: int) -> Any:
        raise NotImplementedError


class CaptionTable(Lazy):
    """``dict(video=str, captions=[str, ...])`` for each video, in order of first appearance.

    Args:
        pairs: Video and caption; a video may come again.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._videos, self._captions = TextList(), TextList()
        numbers: dict[str, int] = {}
        owners = array('q')
        for video, caption in pairs:
            number = numbers.setdefault(video, len(numbers))
            if number == len(self._videos):
                self._videos.append(video)
            self._captions.append(caption)
            owners.append(number)
        del numbers
        owner = np.frombuffer(owners, np.int64)
        order = np.argsort(owner, kind='stable')
        starts = np.searchsorted(owner[order], np.arange(len(self._videos) + 1))
        # Arrays of Python's own: one number of them is read faster than numpy's.
        self._order, self._starts = array('q', order.tobytes()), array('q', starts.tobytes())

    def __len__(self) -> int:
        return len(self._videos)

    def _entry(self, index: int) -> dict:
        start, end = self._starts[index], self._starts[index + 1]
        return dict(video=self._videos[index],
                    captions=[self._captions[i] for i in self._order[start:end]])


class Mapped(Lazy):
    """A function of the entries of a sequence.

    Args:
        function: Of one entry.
        entries: Its arguments.
    """

    def __init__(self, function: Callable, entries: Sequence) -> None:
        self._function, self._entries = function, entries

    def __len__(self) -> int:
        return len(self._entries)

    def _entry(self, index: int) -> Any:
        return self._function(self._entries[index])


def serialize(entries: Iterable) -> tuple[np.ndarray, np.ndarray]:
    """Pickle entries one after the other into one buffer, as MMEngine's data sets keep them.

    Args:
        entries: What to keep.

    Returns:
        The bytes, uint8, and where each entry ends, int64.
    """
    buffer, ends = bytearray(), array('q')
    for entry in entries:
        buffer += pickle.dumps(entry, protocol=4)
        ends.append(len(buffer))
    return np.frombuffer(buffer, np.uint8), np.frombuffer(ends, np.int64)
