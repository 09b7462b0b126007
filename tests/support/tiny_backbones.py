"""Every backbone on the tiny trunk, random weights for it, and what its trunk is seen to do."""
from functools import partial

import torch
from mmaction.registry import MODELS

from .tiny import FRAMES, build_model, stir

BRANCH = dict(num_layers=3, num_frames=FRAMES)
BACKBONES = {
    'FrameMean': dict(type='FrameMean'),
    'STPooling': dict(type='STPooling'),
    'BTAdapter': dict(type='BTAdapter', **BRANCH),
    'BTAdapter-released': dict(type='BTAdapter', variant='released', **BRANCH),
    'STAN': dict(type='STAN', **BRANCH),
    'STAdapter': dict(type='STAdapter', adapter_width=6),
    'JointST': dict(type='JointST', num_frames=FRAMES),
    'SeparateST': dict(type='SeparateST', num_frames=FRAMES),
    'SeparateST-2': dict(type='SeparateST', num_frames=FRAMES, num_layers=2),
}


def build(name, heads=False, trunk=None, mask=None, **change):
    """A VideoTextModel with a backbone of the table; it masks nothing and has no heads.

    With ``heads``, BT-Adapter has all three and its mask, the others have VTC.
    """
    backbone = dict(BACKBONES[name], **change)
    if heads and backbone['type'] == 'BTAdapter':
        return build_model(backbone, trunk=trunk)
    model = build_model(backbone, mask=mask, heads=False, trunk=trunk)
    if heads:
        model.heads.append(MODELS.build(dict(type='VTCHead', temperature=0.07)))
    return model


def stirred(name, **kwargs):
    """The same with random weights, those of the trunk last, so that they do not depend on it."""
    model = build(name, **kwargs)
    stir_own(model.backbone)
    stir(model.trunk.visual, 0.1)
    return model


def beside(trunk, name, **change):
    """A backbone of the table beside a trunk of one's own, in double precision."""
    return MODELS.build(dict(BACKBONES[name], **change), default_args=dict(trunk=trunk)).double()


def stir_own(backbone):
    """Random weights for all of a backbone but its trunk."""
    for name, child in backbone.named_children():
        if name != 'trunk':
            stir(child)
    generator = torch.Generator().manual_seed(4)
    for rows in backbone.parameters(recurse=False):
        rows.data = 0.5 * torch.randn(rows.shape, generator=generator, dtype=rows.dtype)


def own_state(backbone):
    """A backbone's weights but those of its trunk."""
    return {name: value for name, value in backbone.state_dict().items()
            if not name.startswith('trunk.')}


def watch(trunk, steps, note):
    """Have ``note`` called with the result of each of these steps of a trunk."""

    def watched(step, *args):
        result = step(*args)
        note(result)
        return result

    for name in steps:
        setattr(trunk, name, partial(watched, getattr(trunk, name)))


def where_gradients_are_kept(model, imgs):
    """For the embedding and each layer of CLIP, or half layer, whether it ran with gradients."""
    seen = []
    watch(model.trunk, ('embed', 'block', 'attend', 'feed_forward'),
          lambda _: seen.append(torch.is_grad_enabled()))
    assert model.encode_video(imgs).requires_grad
    return seen
