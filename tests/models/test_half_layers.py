"""A trunk's layer in its two halves, attend and feed_forward, is the library's own layer."""
import pytest
import torch

from mmbt.models import HuggingFaceTrunk
from mmbt.models.trunks.towers import OpenCLIPViT

from ..support.tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, reference, same_weights

ALL = ['clip', 'eva', *CLIPS_OF_HF, *EVAS_OF_HF]
every_tower = pytest.mark.parametrize(
    'tower', ALL, ids=lambda tower: getattr(tower, '__name__', tower))


def stirred_trunk(tower):
    """A tiny trunk of open_clip or of transformers whose every weight is random."""
    if isinstance(tower, str):
        return reference(tower)
    return HuggingFaceTrunk(same_weights(tower, reference(FAMILY[tower])))


def library_layer(trunk, index, tokens):
    """The layer as its library has it; the view of open_clip's runs the halves itself."""
    if isinstance(trunk.tower, OpenCLIPViT):
        return trunk.visual.transformer.resblocks[index](tokens)
    return trunk.block(index, tokens)


def some_tokens(trunk):
    generator = torch.Generator().manual_seed(6)
    shape = (2, 3, 1 + trunk.num_patches, trunk.width)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@every_tower
def test_the_halves_are_the_layer(tower):
    trunk = stirred_trunk(tower)
    tokens = some_tokens(trunk)
    for index in range(trunk.num_layers):
        halves = trunk.feed_forward(index, trunk.attend(index, tokens))
        expected = library_layer(trunk, index, tokens.flatten(0, 1)).unflatten(0, (2, 3))
        torch.testing.assert_close(halves, expected, rtol=0, atol=1e-9)
        swapped = trunk.attend(index, trunk.feed_forward(index, tokens))
        assert (swapped - expected).abs().max() > 1e-2


@every_tower
@pytest.mark.parametrize('frozen', [True, False])
def test_gradients_are_those_of_the_layer(frozen, tower):
    """To the tokens in any case, and to every weight of an open trunk."""
    trunk = stirred_trunk(tower)
    trunk.freeze(frozen)
    tokens = some_tokens(trunk).flatten(0, 1).requires_grad_()
    weights = [p for p in trunk.visual.parameters() if p.requires_grad]
    functional = torch.linspace(-1, 1, tokens.numel(), dtype=torch.float64).view_as(tokens).cos()

    def gradients(index, outputs):
        found = torch.autograd.grad((outputs * functional).sum(), [tokens, *weights],
                                    allow_unused=True)
        return [torch.zeros_like(w) if g is None else g for w, g in zip([tokens, *weights], found)]

    for index in range(trunk.num_layers):
        ours = gradients(index, trunk.feed_forward(index, trunk.attend(index, tokens)))
        theirs = gradients(index, library_layer(trunk, index, tokens))
        assert sum(bool(g.any()) for g in theirs) >= (1 if frozen else 12)
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
