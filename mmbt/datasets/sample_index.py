"""The index of a sample that also says what its random augmentation is."""
import random

import numpy as np
import torch


def mixed_seed(*numbers: int) -> int:
    """One 32-bit seed from several numbers, unlike that of any other numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def seed_all(seed: int) -> None:
    """Seed Python's, numpy's and torch's random numbers of this process."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_host(seed: int) -> None:
    """Seed the random numbers that data are made by: as :func:`seed_all`, but for GPUs'.

    torch's own call notes where it was called from for a GPU that may come, which takes longer
    than to read a sample that is there.
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)


class SampleIndex(int):
    """An index into a data set with the seed of what is random about the sample.

    It is an ``int`` to every data set. One that calls :func:`seed_sample` draws the same crop and
    caption whatever worker reads the sample, and after a resumption.
    """

    seed: int
    epoch: int | None

    def __new__(cls, index: int, seed: int, epoch: int | None = None) -> 'SampleIndex':
        """Give the index ``index`` a seed, and the epoch that it is read in."""
        self = super().__new__(cls, index)
        self.seed, self.epoch = seed, epoch
        return self

    def __reduce__(self) -> tuple:
        return SampleIndex, (int(self), self.seed, self.epoch)


def seed_sample(index: int) -> None:
    """Seed this process by a sample's index, if it carries a seed."""
    if isinstance(index, SampleIndex):
        seed_host(index.seed)
