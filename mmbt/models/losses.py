"""The losses of Eqs. 6 to 8, over the clips of all processes with the gradient of one process."""
from contextlib import AbstractContextManager
from functools import lru_cache

import torch
import torch.nn.functional as F
from mmengine.dist import get_world_size, is_distributed
from torch import Tensor
from torch import distributed as torch_dist
from torch.distributed.nn.functional import all_gather as differentiable_all_gather


def info_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """L_nce of Eq. 6: each query against the keys of all processes, **mean** over queries.

    Both sides are L2-normalised here, so that the product is CLIP's cosine similarity. Under
    autocast too, all of it is in float32: over a temperature of 0.01 the products reach 100.

    Args:
        queries: (B, E); query m belongs to key m.
        keys: (B, E).
        temperature: The paper's tau, by which similarities are divided (0.01, Sec. 4.1).

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    with without_autocast(queries):
        queries, keys = in_float32(queries, keys)
        queries = F.normalize(queries, dim=-1)
        all_keys, first = gather_rows(F.normalize(keys, dim=-1))
        logits = queries @ all_keys.T / temperature
        own = torch.arange(first, first + len(queries), device=queries.device)
        return global_mean(F.cross_entropy(logits, own, reduction='none'))


def symmetric_info_nce(x: Tensor, y: Tensor, temperature: float) -> Tensor:
    """**Sum** of both directions, ``L_nce(x, y) + L_nce(y, x)``, as Eqs. 6 and 8 have it."""
    return info_nce(x, y, temperature) + info_nce(y, x, temperature)


def token_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error between tokens of the branch and of CLIP, Eq. 7.

    **Mean** over clips of :func:`token_errors`.

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    return global_mean(token_errors(student, teacher))


def token_errors(student: Tensor, teacher: Tensor) -> Tensor:
    """Each clip's squared error between tokens of the branch and of CLIP.

    **Mean** over frames, visible positions and channels, in float32 at least. The teacher gets no
    gradient.

    Args:
        student: (B, T, N_vis, E).
        teacher: (B, T, N_vis, E), the same tokens in the same order.

    Returns:
        (B,).
    """
    assert student.shape == teacher.shape, (student.shape, teacher.shape)
    student, teacher = in_float32(student, teacher.detach())
    return (student - teacher).square().flatten(1).mean(dim=1)


def cosine_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """``2 - 2 cos`` between tokens of the branch and of CLIP, as in the authors' released code.

    **Mean** over clips of :func:`cosine_errors`; arguments and result as in
    :func:`token_alignment`.
    """
    return global_mean(cosine_errors(student, teacher))


def cosine_errors(student: Tensor, teacher: Tensor) -> Tensor:
    """Each clip's ``2 - 2 cos`` between tokens of the branch and of CLIP.

    It is the squared distance of the normalised tokens: the **sum** over channels, the **mean**
    over frames and visible positions. Arguments and result as in :func:`token_errors`.
    """
    assert student.shape == teacher.shape, (student.shape, teacher.shape)
    student, teacher = in_float32(student, teacher.detach())
    cosine = F.cosine_similarity(student, teacher, dim=-1)
    return (2 - 2 * cosine).flatten(1).mean(dim=1)


def gather_rows(rows: Tensor) -> tuple[Tensor, int]:
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


def batch_sizes(own: int) -> list[int]:
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


def in_float32(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Tensors in float32 at least, through which gradients flow."""
    return tuple(tensor.to(torch.promote_types(tensor.dtype, torch.float32)) for tensor in tensors)


def without_autocast(tensor: Tensor) -> AbstractContextManager:
    """A context in which operators on a tensor's device keep the precision of what they are given.

    Similarities over a temperature of 0.01 reach 100; bfloat16 has 8 bits, and would round them to
    halves.
    """
    return torch.autocast(tensor.device.type, enabled=False)
