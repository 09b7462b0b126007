"""Gradients of tuning with one batch split over processes.

Process 0 saves its loss and its parameters' gradients.
"""
import torch
from mmengine.model import MMDistributedDataParallel
from torch import distributed as dist

from .tiny_tuning import ANSWERS, QUESTIONS, clips, trained, tuning

SPLITS = {'one': [3], 'two': [2, 1], 'two_the_other_way': [1, 2], 'three': [1, 1, 1]}


def work(rank, split, folder):
    """One process of a split."""
    sizes = SPLITS[split]
    model = tuning(folder).double()
    part = slice(sum(sizes[:rank]), sum(sizes[:rank + 1]))
    samples = [type('Sample', (), dict(question=question, answer=answer))
               for question, answer in zip(QUESTIONS[part], ANSWERS[part])]
    wrapped = MMDistributedDataParallel(model, find_unused_parameters=False)
    loss = wrapped(dict(imgs=clips().double()[part]), samples, mode='loss')['loss']
    loss.backward()
    share = loss.detach().clone()
    dist.all_reduce(share)
    if rank == 0:
        torch.save(dict(loss=share / len(sizes), **{
            name: parameter.grad for name, parameter in trained(model).items()}),
            folder / f'{split}.pt')
