"""Losses over the clips of all processes, with the gradient of one process."""
from functools import lru_cache
from typing import List, Tuple

import torch
from mmengine.dist import get_world_size, is_distributed
from torch import Tensor
from torch import distributed as torch_dist
from torch.distributed.nn.functional import all_gather as differentiable_all_gather


def gather_rows(rows: Tensor) -> Tuple[Tensor, int]:
    """Rows of all processes, and where this process's own begin; gradients flow back to all.

    Args:
        rows: (B, ...), B may differ between processes.

    Returns:
        (B_all, ...) in the order of the ranks, and the index of the first own row.
    """
    if not is_distributed() or get_world_size() == 1:
        return rows, 0
    sizes = batch_sizes(len(rows))
    padding = rows.new_zeros((max(sizes) - len(rows), ) + rows.shape[1:])
    gathered = differentiable_all_gather(torch.cat([rows, padding]))
    kept = [part[:size] for part, size in zip(gathered, sizes)]
    return torch.cat(kept), sum(sizes[:torch_dist.get_rank()])


def batch_sizes(own: int) -> List[int]:
    """The batch sizes of all processes, which their hosts tell each other.

    No GPU takes part, so that no host waits for one.

    Args:
        own: This process's.
    """
    count = torch.tensor([own])
    counts = [torch.zeros_like(count) for _ in range(get_world_size())]
    torch_dist.all_gather(counts, count, group=group_of_hosts(torch_dist.group.WORLD))
    return [int(count) for count in counts]


@lru_cache(maxsize=1)
def group_of_hosts(world: torch_dist.ProcessGroup) -> torch_dist.ProcessGroup:
    """A group of the same processes for tensors on the host; made once, by all together.

    Args:
        world: The group of all processes.
    """
    if torch_dist.get_backend(world) == torch_dist.Backend.NCCL:
        return torch_dist.new_group(backend='gloo')
    return world


def global_mean(values: Tensor) -> Tensor:
    """This process's share of the mean over the clips of all processes.

    Data parallelism averages gradients over W processes, so the share is the local sum times W
    over the number of all clips: the average of the shares, and of their gradients, is then that
    of one process with the joined batch, whether or not the batches are even.

    Args:
        values: (B,), one loss for each local clip.
    """
    if not is_distributed() or get_world_size() == 1:
        return values.mean()
    count = values.new_full((), len(values), dtype=torch.float32)  # no copy from the host
    torch_dist.all_reduce(count)
    return values.sum() * get_world_size() / count
