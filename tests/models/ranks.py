"""Gradients of one batch split over processes, by mmengine's data parallelism.

Each split is run for every objective alone and for all together; process 0 saves its parameters'
gradients.
"""
import itertools
from types import SimpleNamespace

import torch
from mmengine.logging import MessageHub
from mmengine.model import MMDistributedDataParallel
from torch import distributed as dist

from mmbt.engine import LazyRuntimeInfoHook
from mmbt.models.large_batch import LargeBatch
from mmbt.models.losses import batch_sizes, group_of_hosts, symmetric_info_nce

from ..support.tiny import FRAMES, build_model, stir

CLIPS = 8
COUNT = itertools.count()
SPLITS = {'one': [8], 'two': [4, 4], 'two_uneven': [5, 3], 'four': [2, 2, 2, 2],
          'four_uneven': [3, 2, 2, 1], 'two_in_parts': [5, 3]}
OBJECTIVES = {'loss_vtc': 0, 'loss_mbta': 1, 'loss_mbca': 2, 'all': None}


class MaskOfClips(torch.nn.Module):
    """Tubes that each clip has whatever process it is in."""

    def __init__(self, first):
        super().__init__()
        self.first = first

    def forward(self, batch_size, num_frames, num_patches, device):
        generator = torch.Generator().manual_seed(3)
        tubes = torch.stack([torch.randperm(num_patches, generator=generator)[:4].sort().values
                             for _ in range(CLIPS)])
        return tubes[self.first:self.first + batch_size]


def joined_batch():
    """The batch of all processes together."""
    generator = torch.Generator().manual_seed(2)
    imgs = torch.randn(CLIPS, FRAMES, 3, 12, 12, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 58, (CLIPS, 5), generator=generator)
    tokens[:, -1] = 59
    return imgs, tokens


def gradients(objective, rank, sizes, large_batch=None):
    """The gradients after one backward pass of this process's part."""
    variant = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES)
    model = build_model(variant, mask=None)
    stir(model.backbone.branch)
    stir(model.heads)
    first = sum(sizes[:rank])
    model.mask = MaskOfClips(first)
    model.large_batch = large_batch
    if OBJECTIVES[objective] is not None:
        model.heads = torch.nn.ModuleList([model.heads[OBJECTIVES[objective]]])
    wrapped = MMDistributedDataParallel(model, find_unused_parameters=True)
    imgs, tokens = (part[first:first + sizes[rank]] for part in joined_batch())
    losses = wrapped(dict(imgs=imgs, tokens=tokens), mode='loss')
    sum(losses.values()).backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None
            }, {name: loss.detach() for name, loss in losses.items()}


def logged(losses):
    """What is in the log after two steps, of these losses and of twice as large ones."""
    hub = MessageHub.get_instance(f'ranks_{next(COUNT)}')
    hook = LazyRuntimeInfoHook()
    runner = SimpleNamespace(message_hub=hub, hooks=[])
    for step in (1, 2):
        hook.after_train_iter(runner, step, outputs={k: step * v for k, v in losses.items()})
    hook.after_train_epoch(runner)
    return {name: torch.tensor(hub.get_scalar(f'train/{name}').data[0]) for name in losses}


def largest_matrix(clips):
    """The most numbers that a tensor kept for the backward pass of a contrastive loss has."""
    sizes = []
    pack = lambda tensor: sizes.append(tensor.numel()) or tensor  # noqa: E731
    rows = torch.randn(clips, 4, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        symmetric_info_nce(rows, torch.randn(clips, 4), 0.1)
    return torch.tensor(max(sizes))


def with_group_of_hosts(rank, sizes):
    """The batch sizes, told as beside NCCL, which takes no tensors of the host."""
    name, gathered = dist.get_backend, dist.all_gather
    group_of_hosts.cache_clear()
    dist.get_backend = lambda group: 'nccl'
    groups = []
    dist.all_gather = lambda *args, group: groups.append(group) or gathered(*args, group=group)
    told = [batch_sizes(sizes[rank]) for _ in range(3)]
    dist.get_backend, dist.all_gather = name, gathered
    group_of_hosts.cache_clear()
    return dict(told=told, groups=len(set(groups)), new=dist.group.WORLD not in groups,
                backend=dist.get_backend(groups[0]))


def work(rank, split, folder):
    """One process of a split."""
    sizes = SPLITS[split]
    large_batch = LargeBatch(2) if split.endswith('in_parts') else None
    for objective in OBJECTIVES:
        found, losses = gradients(objective, rank, sizes, large_batch)
        if rank == 0:
            torch.save(found, folder / f'{split}_{objective}.pt')
        log = logged(losses)
        if objective == 'all':
            torch.save(dict(own=losses, logged=log), folder / f'{split}_losses_{rank}.pt')
    if rank == 0:
        torch.save(largest_matrix(16), folder / f'{split}_largest.pt')
    else:
        largest_matrix(16)
    told = with_group_of_hosts(rank, sizes)
    torch.save(told, folder / f'{split}_told_{rank}.pt')
