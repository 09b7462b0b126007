"""A batch that is trained in parts has the gradient of the whole batch."""
import pytest
import torch

from mmbt.models.large_batch import LargeBatch
from tests.support.tiny import FRAMES, build_model, stirred_model

CLIPS = 7
OBJECTIVES = {'vtc': [0], 'mbta': [1], 'mbca': [2], 'all': [0, 1, 2]}


@pytest.fixture(scope='module')
def batch():
    generator = torch.Generator().manual_seed(2)
    imgs = torch.randn(CLIPS, FRAMES, 3, 12, 12, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 58, (CLIPS, 5), generator=generator)
    tokens[:, -1] = 59
    return dict(imgs=imgs, tokens=tokens)


def step(model, batch, large_batch=None):
    """Losses and gradients of a step whose mask is the same each time."""
    model.large_batch = large_batch
    model.train().zero_grad()
    torch.manual_seed(5)
    losses = model.loss(batch)
    sum(losses.values()).backward()
    return ({name: loss.detach() for name, loss in losses.items()},
            {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None})


def only(model, objective):
    model.heads = torch.nn.ModuleList([model.heads[place] for place in OBJECTIVES[objective]])
    return model


@pytest.mark.parametrize('objective', OBJECTIVES)
@pytest.mark.parametrize('variant', ['paper', 'released'])
def test_the_gradient_is_that_of_the_joined_batch(variant, objective, batch):
    model = only(stirred_model(variant), objective)
    losses, joined = step(model, batch)
    assert max(float(each.abs().max()) for each in joined.values()) > 1e-3
    for large in (LargeBatch(3), LargeBatch(1, 'recomputed'), LargeBatch(100)):
        found, parts = step(model, batch, large)
        assert parts.keys() == joined.keys()
        for name, loss in losses.items():
            torch.testing.assert_close(found[name], loss, rtol=1e-12, atol=0)
        for name, gradient in joined.items():
            torch.testing.assert_close(parts[name], gradient, rtol=0,
                                       atol=1e-9 * float(gradient.abs().max()) + 1e-15)


def test_gradients_of_single_parts_added_up_are_another(batch):
    """Else the comparison above would tell nothing."""
    model = only(stirred_model(), 'vtc')
    _, joined = step(model, batch)
    model.zero_grad()
    torch.manual_seed(5)
    for first in range(0, CLIPS, 3):
        part = {name: value[first:first + 3] for name, value in batch.items()}
        (sum(model.loss(part).values()) * len(part['imgs']) / CLIPS).backward()
    name = 'backbone.branch.output_gate.weight'
    gradient = dict(model.named_parameters())[name].grad
    assert (gradient - joined[name]).abs().max() > 1e-2 * joined[name].abs().max()


@pytest.mark.parametrize('states, runs', [('kept', 3), ('recomputed', 6)])
def test_the_trunk_runs_once_where_its_states_are_kept(states, runs, batch, monkeypatch):
    model, count = stirred_model(), []
    embed = model.trunk.embed
    monkeypatch.setattr(model.trunk, 'embed', lambda imgs: count.append(len(imgs)) or embed(imgs))
    step(model, batch, LargeBatch(3, states))
    assert len(count) == runs and sum(count) == CLIPS * FRAMES * runs // 3


def test_nothing_of_the_branch_is_kept_between_the_two_runs(batch):
    """But summaries: each tensor that the whole batch's graph keeps is smaller than a layer's."""
    model = stirred_model()

    def kept(large_batch):
        sizes = []
        pack = lambda tensor: sizes.append(tensor.numel()) or tensor  # noqa: E731
        model.large_batch = large_batch
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            model.loss(batch)
        return sum(sizes)

    assert kept(LargeBatch(1)) < kept(None) / 20


def test_an_open_trunk_is_trained_too(batch):
    model = build_model(trunk=dict(frozen=False))
    _, joined = step(model, batch)
    _, parts = step(model, batch, LargeBatch(2))
    name = 'backbone.trunk.visual.blocks.0.fc1.weight'
    assert joined[name].abs().max() > 0 and joined.keys() == parts.keys()
    for name, gradient in joined.items():
        torch.testing.assert_close(parts[name], gradient, rtol=1e-9, atol=1e-12)


def test_it_is_off_unless_asked_for_and_a_config_asks(batch):
    assert build_model().large_batch is None
    model = build_model(large_batch=dict(clips=2))
    assert model.large_batch == LargeBatch(2)


@pytest.mark.parametrize('told, words', [
    (dict(clips=0), 'large_batch.clips must be at least 1, got 0'),
    (dict(clips=2, states='lost'), "large_batch.states is 'kept' or 'recomputed', got 'lost'")])
def test_what_it_cannot_be_is_one_line(told, words):
    with pytest.raises(ValueError, match=words):
        build_model(large_batch=told)


def test_a_head_that_needs_all_at_once_is_refused():
    class Whole(torch.nn.Module):
        name = 'loss_whole'

    with pytest.raises(ValueError, match=r'heads with summarize\(\) and compare\(\), and Whole'):
        LargeBatch(2).check([*build_model().heads, Whole()])
