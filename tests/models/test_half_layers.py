"""A trunk's layer in its two halves, attend and feed_forward, is the library's own layer."""
import inspect

import pytest
import torch

from mmbt.models import HuggingFaceTrunk
from mmbt.models.families.hugging_face import NAMES
from mmbt.models.families.names import OPEN_CLIP, TIMM

from ..support.tiny_towers import (
    CLIPS_OF_HF,
    EVAS_OF_HF,
    FAMILY,
    inner_transformer,
    library,
    reference,
    same_weights,
)

ALL = ['clip', 'eva', *CLIPS_OF_HF, *EVAS_OF_HF]
every_tower = pytest.mark.parametrize(
    'tower', ALL, ids=lambda tower: getattr(tower, '__name__', tower))


def trunk_and_library(tower):
    """A tiny trunk whose every weight is random, its library's tower, and the table of names."""
    if tower == 'clip':
        return reference(tower), library(tower).visual, OPEN_CLIP
    if tower == 'eva':
        return reference(tower), library(tower).visual.trunk, TIMM
    model = same_weights(tower, reference(FAMILY[tower]))
    inner = inner_transformer(model)
    return HuggingFaceTrunk(model), inner, NAMES[type(inner).__name__]


def library_layer(theirs, index, tokens):
    """The layer as its library has it."""
    if hasattr(theirs, 'encoder'):  # of transformers, which by version wants masks
        layer = theirs.encoder.layers[index]
        wanted = list(inspect.signature(layer.forward).parameters.values())[1:]
        masks = [None for each in wanted
                 if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD]
        output = layer(tokens, *masks)
        return output[0] if isinstance(output, tuple) else output
    blocks = theirs.blocks if hasattr(theirs, 'blocks') else theirs.transformer.resblocks
    return blocks[index](tokens)


def some_tokens(trunk):
    generator = torch.Generator().manual_seed(6)
    shape = (2, 3, 1 + trunk.num_patches, trunk.width)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


@every_tower
def test_the_halves_are_the_layer(tower):
    trunk, theirs, _ = trunk_and_library(tower)
    tokens = some_tokens(trunk)
    for index in range(trunk.num_layers):
        halves = trunk.feed_forward(index, trunk.attend(index, tokens))
        expected = library_layer(theirs, index, tokens.flatten(0, 1)).unflatten(0, (2, 3))
        torch.testing.assert_close(halves, expected, rtol=0, atol=1e-9)
        whole = trunk.block(index, tokens.flatten(0, 1)).unflatten(0, (2, 3))
        torch.testing.assert_close(whole, expected, rtol=0, atol=1e-9)
        swapped = trunk.attend(index, trunk.feed_forward(index, tokens))
        assert (swapped - expected).abs().max() > 1e-2


@every_tower
@pytest.mark.parametrize('frozen', [True, False])
def test_gradients_are_those_of_the_layer(frozen, tower):
    """To the tokens in any case, and to every weight of an open trunk."""
    trunk, theirs, names = trunk_and_library(tower)
    trunk.freeze(frozen)
    theirs.requires_grad_(not frozen)
    tokens = some_tokens(trunk).flatten(0, 1).requires_grad_()
    functional = torch.linspace(-1, 1, tokens.numel(), dtype=torch.float64).view_as(tokens).cos()

    def gradients(tower, outputs):
        weights = {n: p for n, p in tower.named_parameters() if p.requires_grad}
        found = torch.autograd.grad((outputs * functional).sum(), [tokens, *weights.values()],
                                    allow_unused=True)
        return found[0], {name: torch.zeros_like(weight) if gradient is None else gradient
                          for (name, weight), gradient in zip(weights.items(), found[1:])}

    for index in range(trunk.num_layers):
        ours, of_ours = gradients(trunk.visual,
                                  trunk.feed_forward(index, trunk.attend(index, tokens)))
        expected, of_theirs = gradients(theirs, library_layer(theirs, index, tokens))
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-9)
        assert frozen == (not of_ours) == (not of_theirs)
        translated = {} if frozen else names.translate(of_ours.keys() - {'proj.weight'}, of_theirs)
        assert sum(bool(gradient.any()) for gradient in translated.values()) >= 12 * (not frozen)
        for name, gradient in translated.items():
            torch.testing.assert_close(of_ours[name], gradient, rtol=0, atol=1e-9, msg=name)
