"""Training that a kill does not change: the same batches and random numbers, wherever it resumes.

MMEngine resumes weights, optimizer and schedule, but begins an epoch's data anew and draws other
random numbers. Here nothing random depends on what was drawn before: the order of an epoch, the
augmentation of a sample and the mask of a step are each seeded by the run's seed and their number.
"""
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.registry import DATA_SAMPLERS, LOOPS
from mmengine.dataset import DefaultSampler
from mmengine.dist import broadcast, get_rank, get_world_size
from mmengine.hooks import CheckpointHook
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from mmbt.datasets.sample_index import SampleIndex, mixed_seed, seed_all

BATCHES = 'batches_an_epoch'  # in MMEngine's message hub, which checkpoints hold


@DATA_SAMPLERS.register_module()
class ResumableSampler(DefaultSampler):
    """MMEngine's ``DefaultSampler`` that can begin within an epoch, and seeds every sample.

    Its length is that of the whole epoch. Arguments as in ``DefaultSampler``.
    """

    skipped = 0

    def begin(self, seed: int, epoch: int, skipped: int) -> None:
        """Set the next epoch, and how many of this process's samples it has been through."""
        self.seed, self.epoch, self.skipped = seed, epoch, skipped

    def __iter__(self) -> Iterator[int]:
        return (SampleIndex(i, mixed_seed(self.seed, self.epoch, i), self.epoch)
                for i in map(int, self.order()[self.skipped:]))

    def order(self) -> np.ndarray:
        """This process's samples of the epoch, in ``DefaultSampler``'s order, as one array."""
        size = len(self.dataset)
        if self.shuffle:
            generator = torch.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = torch.randperm(size, generator=generator).numpy()
        else:
            order = np.arange(size)
        return np.resize(order, self.total_size)[self.rank::self.world_size]


@LOOPS.register_module()
class ResumableTrainLoop(EpochBasedTrainLoop):
    """MMEngine's ``EpochBasedTrainLoop``, resumed exactly where a checkpoint was written.

    On a CPU, a run that was killed and resumed ends with the weights of one that was not, bit for
    bit. The batch size and the number of processes must stay the same. The data loader needs
    ``sampler=dict(type='ResumableSampler')``. Arguments as in ``EpochBasedTrainLoop``.

    Each process has random numbers of its own, so that their masks differ.

    Raises:
        ValueError: If the data give no batch, if the sampler is of another type, if checkpoints
            would be written between the steps of one accumulated gradient, or if the checkpoint was
            made with another number of batches an epoch.
    """

    seed: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _refuse_too_few(self.dataloader)

    def run(self) -> torch.nn.Module:
        """Train, with one seed for all processes; see :meth:`check` for what is refused."""
        self.check()
        self.seed = _shared_seed(self.runner.seed)
        return super().run()

    def check(self) -> None:
        """Refuse what could not be resumed exactly, before any time is spent."""
        if not isinstance(self.dataloader.sampler, ResumableSampler):
            raise ValueError('ResumableTrainLoop needs train_dataloader.sampler=dict('
                             f"type='ResumableSampler'), got {type(self.dataloader.sampler)}")
        steps = getattr(self.runner.optim_wrapper, '_accumulative_counts', 1)
        for hook in self.runner.hooks:
            if isinstance(hook, CheckpointHook) and not hook.by_epoch and hook.interval % steps:
                raise ValueError(f'checkpoints every {hook.interval} iterations would cut a '
                                 f'gradient of {steps} accumulated steps in two; take a multiple')
        batches, hub = len(self.dataloader), self.runner.message_hub
        before = hub.get_info(BATCHES) if BATCHES in hub.runtime_info else batches
        if self._iter > 0 and before != batches:
            raise ValueError(f'the checkpoint is from epochs of {before} batches, here they have '
                             f'{batches}: resume with the same data, batch size and number of '
                             'processes, or start from it with load_from')
        hub.update_info(BATCHES, batches)

    def run_epoch(self) -> None:
        """Run what is left of the epoch."""
        loader = self.dataloader
        done = self._iter - self._epoch * len(loader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        loader.sampler.begin(self.seed, self._epoch, done * loader.batch_size)
        for index, batch in enumerate(loader, start=done):
            self.run_iter(index, batch)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Sequence[dict]) -> None:
        """Run one batch, with random numbers that only its number and the process decide."""
        seed_all(mixed_seed(self.seed, self._iter, get_rank()))
        super().run_iter(idx, data_batch)


def _refuse_too_few(loader: DataLoader) -> None:
    """Refuse data of which no process gets a whole batch, where ``drop_last`` drops what is less.

    Raises:
        ValueError: In one line that names the annotations.
    """
    if len(loader) > 0:
        return
    name = getattr(loader.dataset, 'ann_file', None) or type(loader.dataset).__name__
    raise ValueError(f'{name}: {len(loader.dataset)} training clips are less than a batch of '
                     f'{loader.batch_size} for each of {get_world_size()} processes; lower '
                     'train_dataloader.batch_size, or set train_dataloader.drop_last=False')


def _shared_seed(seed: int) -> int:
    """The first process's seed, in all processes."""
    number = torch.tensor(seed, dtype=torch.int64)
    broadcast(number)
    return int(number)
