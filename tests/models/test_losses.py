"""Losses: hand-derived numbers, and the same gradient from one process and from two."""
import math

import pytest
import torch
from torch import distributed as dist

from mmbt.models.losses import info_nce, symmetric_info_nce, token_alignment

from ..support.processes import run_splits

pytestmark = pytest.mark.slow


def test_info_nce_by_hand():
    """Unit vectors at right angles, tau = 1: each row is log(e^1 + e^0) - 1, whatever the length.

    One row: -log(e / (e + 1)) = log(1 + 1/e) = 0.3132616875.
    """
    queries = torch.tensor([[2.0, 0.0], [0.0, 3.0]])
    keys = torch.tensor([[1.0, 0.0], [0.0, 5.0]])
    expected = math.log(1 + math.exp(-1))
    assert expected == pytest.approx(0.3132616875)
    assert info_nce(queries, keys, 1.0).item() == pytest.approx(expected)
    assert symmetric_info_nce(queries, keys, 1.0).item() == pytest.approx(2 * expected)


def test_info_nce_of_a_confused_model_is_the_logarithm_of_the_batch():
    assert info_nce(torch.ones(5, 3), torch.ones(5, 3), 0.01).item() == pytest.approx(math.log(5))


def test_token_alignment_by_hand_and_without_gradient_to_the_teacher():
    """Errors 1, 2, 3, 0 over four channels in all: (1 + 4 + 9 + 0) / 4 = 3.5."""
    student = torch.tensor([1., 2., 3., 4.]).view(1, 1, 2, 2).requires_grad_()
    teacher = torch.tensor([0., 0., 0., 4.]).view(1, 1, 2, 2).requires_grad_()
    loss = token_alignment(student, teacher)
    assert loss.item() == pytest.approx(3.5)
    loss.backward()
    assert teacher.grad is None
    assert torch.equal(student.grad.flatten(), torch.tensor([0.5, 1.0, 1.5, 0.0]))


WIDTH, SPLIT = 6, (3, 2)  # uneven: three clips on one process, two on the other


def joined_batch():
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator).double()  # noqa: E731
    return draw(5, WIDTH), draw(5, WIDTH), draw(5, 2, 3, WIDTH), draw(WIDTH, WIDTH)


def total_loss(weight, x, y, tokens):
    return symmetric_info_nce(x @ weight, y, 0.1) + token_alignment(tokens @ weight, tokens)


def work(rank, split, folder):
    x, y, tokens, weight = joined_batch()
    weight.requires_grad_()
    own = slice(sum(SPLIT[:rank]), sum(SPLIT[:rank + 1]))
    total_loss(weight, x[own], y[own], tokens[own]).backward()
    dist.all_reduce(weight.grad)
    torch.save(weight.grad / len(SPLIT), folder / f'{rank}.pt')  # what data parallelism does


def test_two_processes_with_uneven_batches_have_the_gradient_of_one(tmp_path):
    x, y, tokens, weight = joined_batch()
    weight.requires_grad_()
    total_loss(weight, x, y, tokens).backward()
    run_splits({'uneven': SPLIT}, work, tmp_path)
    for rank in range(len(SPLIT)):
        torch.testing.assert_close(torch.load(tmp_path / f'{rank}.pt'), weight.grad, rtol=1e-6,
                                   atol=1e-8)
