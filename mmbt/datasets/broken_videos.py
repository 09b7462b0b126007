"""What happens when a video cannot be read: one policy for every dataset."""
import logging
from typing import TYPE_CHECKING, Any

import torch
from mmengine.dist import all_reduce
from mmengine.logging import print_log
from torch.utils.data import get_worker_info

from mmbt.reading import VideoReadError

from .sample_index import seed_sample

if TYPE_CHECKING:
    from mmengine.dataset import BaseDataset as Mixed
else:
    Mixed = object  # the dataset class stands behind the policy among the bases


class SharedMarks:
    """One mark for each sample, in memory that the main process shares with its workers.

    Args:
        size: The number of samples.
    """

    def __init__(self, size: int) -> None:
        self._cells = torch.zeros(size, dtype=torch.uint8).share_memory_()

    def set(self, index: int, value: bool) -> bool:
        """Set the mark of a sample; return whether that changed it."""
        changed = self[index] != value
        if changed:
            self._cells[index] = value
        return changed

    def total(self) -> int:
        """Return how many samples are marked, by this process or its workers."""
        return int(self._cells.sum())

    def of_all_ranks(self) -> list[int]:
        """Return the marked samples, each once, of all ranks; all must call this together."""
        cells = self._cells.clone()
        all_reduce(cells, 'max')
        return cells.nonzero().flatten().tolist()

    def __getitem__(self, index: int) -> bool:
        return bool(self._cells[index])

    def __deepcopy__(self, memo: dict) -> 'SharedMarks':
        """Return a copy in shared memory of its own; a tensor's own deep copy is not shared."""
        copied = SharedMarks(len(self._cells))
        copied._cells.copy_(self._cells)
        return copied


class BrokenVideoPolicy(Mixed):
    """Skip unreadable videos in training; stop at them in evaluation, or leave them out.

    Put it before the dataset class in the bases. Only :class:`VideoReadError`, which the reading
    transform raises, counts as a broken video; every other exception passes through.

    In training a broken video is replaced by another random sample. It is logged with its name,
    once, and ``num_broken`` counts it, once, whichever worker met it and however often. It is
    tried again whenever its turn comes, and no longer counted once it can be read.

    In evaluation the first broken video is an error, unless ``on_broken='skip'``: then blank
    frames run through the pipeline in its place, made by the ``blank`` method of the reading
    transform. Their data sample carries why as ``broken``, and no ``gt_label``. The metrics of
    mmbt leave it out and report how many of how many they scored (:mod:`mmbt.evaluation.scored`);
    MMAction2's ``AccMetric`` stops at the missing label.

    Args:
        max_refetch: Samples drawn in place of one broken video before giving up.
        on_broken: 'fail' or 'skip', in evaluation.
        **kwargs: Arguments of the dataset class.

    Raises:
        ValueError: If ``on_broken`` is neither.
    """

    _broken: SharedMarks | None = None

    def __init__(self, *args: Any, max_refetch: int = 50, on_broken: str = 'fail',
                 **kwargs: Any) -> None:
        if on_broken not in ('fail', 'skip'):
            raise ValueError(f"on_broken must be 'fail' or 'skip', got {on_broken!r}")
        self.on_broken = on_broken
        super().__init__(*args, max_refetch=max_refetch, **kwargs)

    def full_init(self) -> None:
        """Read the annotations, if that is still to be done."""
        super().full_init()
        if self._broken is None:
            self._broken = SharedMarks(len(self))

    @property
    def num_broken(self) -> int:
        """Different broken videos that training has met, over all workers of this process."""
        return 0 if self._broken is None else self._broken.total()

    def broken_of_all_ranks(self) -> dict[str, bool]:
        """Name the broken videos that training has met; all ranks must call this together.

        Returns:
            Each video's name, and whether this rank met it (and named it in its log).
        """
        marks = self._marks()
        return {self._name(index): marks[index] for index in marks.of_all_ranks()}

    def _marks(self) -> SharedMarks:
        if self._broken is None:
            self.full_init()
        assert self._broken is not None
        return self._broken

    def _name(self, idx: int) -> str:
        return self._blank_info(idx).get('filename', f'sample {idx}')

    def __getitem__(self, idx: int) -> dict:
        """Return the packed sample ``idx`` or what stands for a broken one; see the class.

        Raises:
            VideoReadError: In evaluation with ``on_broken='fail'``, if the video cannot be read.
            ValueError: In training, if ``max_refetch`` replacements in a row cannot be read.
        """
        if not self._fully_initialized:
            self.full_init()
        seed_sample(idx)
        if self.test_mode:
            return self._test_sample(idx)
        for _ in range(self.max_refetch + 1):
            try:
                sample = super().__getitem__(idx)
            except VideoReadError as error:
                self._record_broken(idx, error)
                reason = str(error)
            else:
                self._marks().set(idx, False)
                return sample
            idx = self._rand_another()
        raise ValueError(f'{self.max_refetch + 1} videos in a row could not be read, the last: '
                         f'{reason}; check data_prefix and the files of {self.ann_file}')

    def _record_broken(self, idx: int, error: VideoReadError) -> None:
        if self._marks().set(idx, True):
            info = get_worker_info()
            process = 'the main process' if info is None else f'worker {info.id}'
            print_log(f'skipped a broken video: {error} ({self.num_broken} so far, '
                      f'this one by {process})', logger='current', level=logging.WARNING)

    def _test_sample(self, idx: int) -> dict:
        try:
            return super().__getitem__(idx)
        except VideoReadError as error:
            if self.on_broken == 'fail':
                raise VideoReadError(f"{error}; to score the other videos, set on_broken='skip' "
                                     'in the dataset') from error
            return self._blank_sample(idx, str(error))

    def _blank_info(self, idx: int) -> dict:
        """What enters the pipeline in place of a broken video: all that the annotation says."""
        return self.get_data_info(idx)

    def _blank_sample(self, idx: int, reason: str) -> dict:
        results = self._blank_info(idx)
        for transform in self.pipeline.transforms:
            results = getattr(transform, 'blank', transform)(results)
        sample = results['data_samples']
        sample.set_metainfo(dict(broken=reason))
        if 'gt_label' in sample:
            del sample.gt_label
        return results
