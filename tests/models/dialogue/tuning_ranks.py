"""Gradients of tuning with one batch split over processes: the driver.

Started as a script by test_tuning_gradients.py with a folder of models. The processes are forks of
this one, which has imported everything and computed nothing. Process 0 saves its loss and its
parameters' gradients.
"""
import os
import sys
from pathlib import Path

import torch
from mmengine.model import MMDistributedDataParallel
from torch import distributed as dist
from transformers import (  # noqa: F401  imported here once, and not in each process
    AutoTokenizer,
    CLIPVisionModel,
    LlamaForCausalLM,
)

from tests.models.dialogue.tiny_tuning import ANSWERS, QUESTIONS, clips, trained, tuning

SPLITS = {'one': [3], 'two': [2, 1], 'two_the_other_way': [1, 2], 'three': [1, 1, 1]}


def work(rank, split, folder):
    """One process of a split."""
    torch.set_num_threads(1)
    sizes = SPLITS[split]
    dist.init_process_group('gloo', init_method=f'file://{folder}/{split}.store', rank=rank,
                            world_size=len(sizes))
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
    dist.barrier()
    dist.destroy_process_group()


def main(folder):
    """Run all splits, one after the other."""
    for split, sizes in SPLITS.items():
        children = []
        for rank in range(len(sizes)):
            child = os.fork()
            if child == 0:
                try:
                    work(rank, split, folder)
                    os._exit(0)
                except BaseException:
                    import traceback
                    traceback.print_exc()
                    os._exit(1)
            children.append(child)
        for child in children:
            _, status = os.waitpid(child, 0)
            assert status == 0, f'a process of {split} failed'


if __name__ == '__main__':
    main(Path(sys.argv[1]))
