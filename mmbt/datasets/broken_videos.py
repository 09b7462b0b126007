"""What happens when a video cannot be read: one policy for every dataset."""
import logging

import torch
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from .sample_index import seed_sample

MAX_WORKERS = 256


class VideoReadError(ValueError):
    """A video file is missing, empty, cut short or holds no picture; the message names it."""


class SharedCounts:
    """One count for each data-loading worker, in memory that the main process shares with them.

    No cell has two writers, so nothing is lost between processes.
    """

    def __init__(self) -> None:
        self._cells = torch.zeros(MAX_WORKERS + 1, dtype=torch.int64).share_memory_()

    def add_one(self) -> tuple[int, str]:
        """Count one for the calling process; return its own count and its name."""
        info = get_worker_info()
        cell = 0 if info is None else 1 + info.id % MAX_WORKERS
        self._cells[cell] += 1
        return int(self._cells[cell]), 'the main process' if info is None else f'worker {info.id}'

    def total(self) -> int:
        """Return the sum over all processes that share these counts."""
        return int(self._cells.sum())

    def __deepcopy__(self, memo: dict) -> 'SharedCounts':
        """Return a copy in shared memory of its own; a tensor's own deep copy is not shared."""
        copied = SharedCounts()
        copied._cells.copy_(self._cells)
        return copied


class BrokenVideoPolicy:
    """Skip unreadable videos in training, stop at them in evaluation.

    Put it before the dataset class in the bases. Only :class:`VideoReadError`, which the reading
    transform raises, counts as a broken video; every other exception passes through.

    In training a broken video is logged with its file name, counted, and replaced by another
    random sample; the main process sees the count of all its workers in ``num_broken``.

    Args:
        max_refetch (int): Samples drawn in place of one broken video before giving up.
            Defaults to 50.
        **kwargs: Arguments of the dataset class.
    """

    def __init__(self, *args, max_refetch: int = 50, **kwargs) -> None:
        self._broken = SharedCounts()
        super().__init__(*args, max_refetch=max_refetch, **kwargs)

    @property
    def num_broken(self) -> int:
        """int: Broken videos skipped so far, over all workers of this process."""
        return self._broken.total()

    def __getitem__(self, idx: int) -> dict:
        """Return the packed sample ``idx`` or, in training, a replacement for a broken one.

        Raises:
            VideoReadError: In evaluation, if the video cannot be read.
            ValueError: In training, if ``max_refetch`` replacements in a row cannot be read.
        """
        seed_sample(idx)
        if self.test_mode:
            return super().__getitem__(idx)
        for _ in range(self.max_refetch + 1):
            try:
                return super().__getitem__(idx)
            except VideoReadError as error:
                self._record_broken(error)
                reason = str(error)
            idx = self._rand_another()
        raise ValueError(f'{self.max_refetch + 1} videos in a row could not be read, the last: '
                         f'{reason}; check data_prefix and the files of {self.ann_file}')

    def _record_broken(self, error: VideoReadError) -> None:
        count, worker = self._broken.add_one()
        print_log(f'skipped a broken video: {error} ({count} skipped by {worker})',
                  logger='current', level=logging.WARNING)
