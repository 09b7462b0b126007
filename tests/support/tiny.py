"""Tiny random models that the tests of this folder share."""
import torch
from mmaction.registry import MODELS

import mmbt  # noqa: F401

TINY = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=4, head_width=8),
    text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=2),
    quick_gelu=True)
CLIPS, FRAMES, PATCHES = 3, 4, 9


def build_model(backbone=None, mask=0.5, heads=True, trunk=None, **kwargs):
    """A VideoTextModel on the tiny trunk, deterministic, in double precision."""
    torch.manual_seed(0)
    model = MODELS.build(
        dict(
            type='VideoTextModel',
            trunk=dict(type='OpenCLIPTrunk', arch=TINY, **(trunk or {})),
            backbone=backbone or dict(type='BTAdapter', num_layers=3, num_frames=FRAMES),
            mask=dict(type='TubeMask', ratio=mask) if mask is not None else None,
            heads=[dict(type='VTCHead'), dict(type='MBTAHead'), dict(type='MBCAHead')]
            if heads else [],
            **kwargs))
    return model.double()


def stir(module, std=0.3):
    """Give every parameter a random value, so that no zero start hides a mistake."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
            parameter.add_(std * noise)


def stirred_model(variant='paper', **change):
    """A stirred model in all of whose parts this variant is computed."""
    model = build_model(dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, variant=variant,
                             **change))
    sizes = dict(width=model.trunk.width, embed_dim=model.trunk.embed_dim)
    model.heads[1] = MODELS.build(dict(type='MBTAHead', variant=variant, **sizes)).double()
    stir(model.backbone.branch)
    stir(model.heads)
    return model
