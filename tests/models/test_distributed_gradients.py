"""The whole model's gradients over several processes are those of one with the joined batch."""
import pytest
import torch

from ..support.processes import run_splits
from .ranks import OBJECTIVES, SPLITS, work

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """The folder with the gradients of every split and objective."""
    folder = tmp_path_factory.mktemp('ranks')
    run_splits(SPLITS, work, folder)
    return folder


@pytest.mark.parametrize('objective', OBJECTIVES)
@pytest.mark.parametrize('split', [name for name in SPLITS if name != 'one'])
def test_gradients_are_those_of_one_process(split, objective, found):
    alone = torch.load(found / f'one_{objective}.pt', weights_only=True)
    together = torch.load(found / f'{split}_{objective}.pt', weights_only=True)
    largest = 0.
    for name, expected in alone.items():
        # Data parallelism gives a parameter that the objective does not reach a gradient of zero.
        ours = together.get(name, torch.zeros_like(expected))
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-6 * float(expected.abs().max())
                                   + 1e-12, msg=lambda m, n=name: f'{n}: {m}')
        largest = max(largest, float(expected.abs().max()))
    assert largest > 1e-3
    assert {n for n, g in together.items() if g.any()} == {n for n, g in alone.items() if g.any()}


def test_objectives_differ(found):
    """Else the comparison above would compare one thing four times."""
    name = 'backbone.branch.temporal.0.attn.qkv.weight'
    gradients = [torch.load(found / f'one_{objective}.pt', weights_only=True)[name]
                 for objective in OBJECTIVES]
    for i, one in enumerate(gradients):
        assert all((one - other).abs().max() > 1e-6 for other in gradients[:i])


def test_logged_losses_are_those_of_the_joined_batch(found):
    """In every process's log, of every step, though each process has another share."""
    alone = torch.load(found / 'one_losses_0.pt', weights_only=True)['own']
    assert alone.keys() == {'loss_vtc', 'loss_mbta', 'loss_mbca'}
    for split, sizes in SPLITS.items():
        for rank in range(len(sizes)):
            told = torch.load(found / f'{split}_losses_{rank}.pt', weights_only=True)
            for name, loss in alone.items():
                expected = torch.stack([loss, 2 * loss])
                torch.testing.assert_close(told['logged'][name], expected, rtol=1e-6, atol=0)
                if len(sizes) > 1:
                    assert abs(told['own'][name] - loss) > 1e-4 * abs(loss)


def test_similarities_grow_with_the_processes_and_not_with_their_square(found):
    """16 clips a process: 16 x 16 alone, 16 x 64 of four processes, never 64 x 64."""
    for split, sizes in SPLITS.items():
        assert int(torch.load(found / f'{split}_largest.pt')) == 16 * 16 * len(sizes)


def test_hosts_tell_each_other_their_batch_sizes(found):
    """Beside NCCL through one group of their own, which gloo serves."""
    for split, sizes in SPLITS.items():
        for rank in range(len(sizes)):
            told = torch.load(found / f'{split}_told_{rank}.pt', weights_only=True)
            assert told == dict(told=[sizes] * 3, groups=1, new=True, backend='gloo')
