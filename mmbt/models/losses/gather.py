"""Losses over the clips of all processes, with the gradient of one process."""
from typing import Tuple

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
    count = torch.tensor([len(rows)], device=rows.device)
    counts = [torch.zeros_like(count) for _ in range(get_world_size())]
    torch_dist.all_gather(counts, count)
    sizes = [int(c) for c in counts]
    padding = rows.new_zeros((max(sizes) - len(rows), ) + rows.shape[1:])
    gathered = differentiable_all_gather(torch.cat([rows, padding]))
    kept = [part[:size] for part, size in zip(gathered, sizes)]
    return torch.cat(kept), sum(sizes[:torch_dist.get_rank()])


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
    count = torch.tensor([len(values)], device=values.device, dtype=torch.float32)
    torch_dist.all_reduce(count)
    return values.sum() * get_world_size() / count[0]
