"""Run the processes of data parallelism as forks, which the test's imports serve."""
import contextlib
import os
import signal
import time
from datetime import timedelta
from functools import partial

import torch
from torch import distributed as dist

from .forked import fork


def run_splits(splits, work, folder):
    """Run ``work(rank, split, folder)`` in a group of processes for each split, one after another.

    Args:
        splits: Name of a split -> the sizes of its processes' batches.
        work: Runs in each process, which has one thread and is one of a gloo group.
        folder: A folder for what the processes leave.
    """
    for split, sizes in splits.items():
        wait_for(split, [fork(partial(member, rank, split, len(sizes), work, folder))
                         for rank in range(len(sizes))])


def member(rank, split, world_size, work, folder):
    """One process of a split."""
    torch.set_num_threads(1)
    dist.init_process_group('gloo', init_method=f'file://{folder}/{split}.store', rank=rank,
                            world_size=world_size, timeout=timedelta(seconds=60))
    work(rank, split, folder)
    dist.barrier()
    dist.destroy_process_group()


def wait_for(split, children):
    """Wait until all have ended; where one fails, end those that would wait for it."""
    left = list(children)
    while left:
        child, status = next((found for found in (os.waitpid(each, os.WNOHANG) for each in left)
                              if found[0]), (0, 0))
        if not child:
            time.sleep(0.01)
            continue
        left.remove(child)
        if status:
            for other in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(other, signal.SIGKILL)
                os.waitpid(other, 0)
            raise AssertionError(f'a process of {split} failed')
