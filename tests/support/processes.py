"""Run the processes of data parallelism as forks, which a driver's imports serve once."""
import os

import torch
from torch import distributed as dist


def run_splits(splits, work, folder):
    """Run ``work(rank, split, folder)`` in a group of processes for each split, one after another.

    Args:
        splits: Name of a split -> the sizes of its processes' batches.
        work: Runs in each process, which has one thread and is one of a gloo group.
        folder: A folder for what the processes leave.
    """
    for split, sizes in splits.items():
        children = [fork(work, rank, split, len(sizes), folder) for rank in range(len(sizes))]
        for child in children:
            _, status = os.waitpid(child, 0)
            assert status == 0, f'a process of {split} failed'


def fork(work, rank, split, world_size, folder):
    """Start one process; return its id."""
    child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        dist.init_process_group('gloo', init_method=f'file://{folder}/{split}.store', rank=rank,
                                world_size=world_size)
        work(rank, split, folder)
        dist.barrier()
        dist.destroy_process_group()
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
