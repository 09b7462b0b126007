"""Counted operations against torch's own counter and against numbers derived by hand."""
import pytest
import torch
from mmaction.registry import MODELS
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import mmbt  # noqa: F401
from mmbt.lab.benchmark import model_sizes, num_visible, step_flops

# Every size is another number, so that no two can be mixed up.
TINY = dict(
    embed_dim=12,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=4, head_width=8, mlp_ratio=3.0),
    text_cfg=dict(context_length=10, vocab_size=60, width=24, heads=2, layers=2),
    quick_gelu=True)
BATCH, FRAMES, LAYERS, RATIO = 3, 5, 2, 0.5
FORWARD = ('trunk_forward', 'branch_forward', 'text_forward', 'heads_forward')
BACKWARD = ('branch_backward', 'heads_backward')


@pytest.fixture(autouse=True)
def products_that_torch_can_count():
    """Attention as two products, which the counter sees.

    It has no formula for the fused layer that MultiheadAttention takes in eval mode, and counts
    2.5 times the forward for the backward of fused attention, which computes the weights again.
    """
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    with sdpa_kernel(SDPBackend.MATH):
        yield
    torch.backends.mha.set_fastpath_enabled(enabled)


def build(variant):
    """A tiny model with three objectives."""
    return MODELS.build(
        dict(
            type='VideoTextModel',
            trunk=dict(type='OpenCLIPTrunk', arch=TINY),
            backbone=dict(
                type='BTAdapter', num_layers=LAYERS, num_frames=FRAMES, variant=variant),
            mask=dict(type='TubeMask', ratio=RATIO),
            heads=[dict(type='VTCHead'), dict(type='MBTAHead', variant=variant),
                   dict(type='MBCAHead')]))


def count(work):
    """What ``work`` returns, and the operations that torch counts."""
    with FlopCounterMode(display=False) as counter:
        result = work()
    return result, counter.get_total_flops()


def counted(variant, train=True):
    """Our own numbers."""
    return step_flops(model_sizes(TINY), BATCH, FRAMES, RATIO, LAYERS, variant, train)


IMGS = torch.zeros(BATCH, FRAMES, 3, 12, 12)
TOKENS = torch.tensor([[58, 3, 59]] * BATCH)


def test_the_frozen_towers():
    model, flops = build('paper'), counted('paper')
    _, trunk = count(lambda: model.trunk.hidden_states(IMGS, model.backbone.branch.taps))
    _, text = count(lambda: model.encode_text(TOKENS))
    assert (trunk, text) == (flops['trunk_forward'], flops['text_forward'])


@pytest.mark.parametrize('variant', ['paper', 'released'])
def test_a_step_forward_and_backward(variant):
    model, flops = build(variant), counted(variant)
    losses, forward = count(lambda: model(dict(imgs=IMGS, tokens=TOKENS), mode='loss'))
    _, backward = count(lambda: sum(losses.values()).backward())
    assert forward == sum(flops[part] for part in FORWARD)
    assert backward == sum(flops[part] for part in BACKWARD)
    assert flops['total'] == forward + backward


@pytest.mark.parametrize('variant', ['paper', 'released'])
def test_the_branch_alone(variant):
    model, flops = build(variant), counted(variant)
    visible = model.mask(*IMGS.shape[:2], 9, IMGS.device)
    _, whole = count(lambda: model.backbone(IMGS, visible))
    proj = 2 * BATCH * (FRAMES if variant == 'released' else 1) * 16 * 12
    assert whole - flops['trunk_forward'] - proj == flops['branch_forward']
    assert flops['branch_backward'] == 2 * flops['branch_forward']


@pytest.mark.parametrize('variant', ['paper', 'released'])
def test_encoding_a_video(variant):
    model = build(variant).eval()
    _, forward = count(lambda: model.encode_video(IMGS))  # the counter fails under no_grad
    flops = counted(variant, train=False)
    assert forward == flops['total'] == sum(flops[part] for part in FORWARD)
    assert flops['text_forward'] == flops['branch_backward'] == flops['heads_backward'] == 0


def test_hand_derived_trunk():
    # 15 pictures; 9 patches of 3 * 4 * 4 values; 10 tokens of 16 channels, 48 hidden ones.
    embedding = 2 * 15 * 9 * 48 * 16
    weights = 16 * 48 + 16 * 16 + 16 * 48 + 48 * 16
    layer = 2 * 15 * 10 * weights + 2 * 2 * 15 * 10 * 10 * 16
    assert counted('paper')['trunk_forward'] == embedding + 4 * layer


def test_hand_derived_branch():
    # 5 of 9 patches are seen; 15 tubes of 5 frames, 15 sequences of 6 tokens; 75 tokens in all.
    assert num_visible(9, RATIO) == 5
    temporal = 2 * 75 * 5 * 16 * 16 + 2 * 2 * 15 * 5 * 5 * 16
    spatial = 2 * 90 * 4 * 16 * 16 + 2 * 2 * 15 * 6 * 6 * 16 + 2 * (75 + 3) * 2 * 16 * 48
    assert counted('paper')['branch_forward'] == 2 * (temporal + spatial)


def test_full_size():
    flops = step_flops(model_sizes('ViT-L-14-quickgelu'), 1, 8, 0.7, 4)
    assert flops['trunk_forward'] == pytest.approx(1.30e12, rel=0.03)
    branch = flops['branch_forward'] + flops['branch_backward']
    assert branch == pytest.approx(0.27e12, rel=0.03)
    # 77 tokens: twelve layers of 12 D^2 weights, attention, and the projection
    text = 12 * (2 * 77 * 12 * 768**2 + 4 * 77**2 * 768) + 2 * 768**2
    assert flops['text_forward'] == text
    assert flops['total'] == pytest.approx(1.58e12, rel=0.03)


def test_more_of_everything_costs_more():
    sizes = model_sizes('EVA01-g-14')
    base = step_flops(sizes)['total']
    assert base > 4.2e12
    assert step_flops(sizes, mask_ratio=0.)['total'] > base
    assert step_flops(sizes, frames=16)['total'] > 2 * base * 0.99
    assert step_flops(sizes, batch=2)['total'] > 2 * base
    assert step_flops(sizes, layers=1)['total'] < base


def test_another_text_tower_is_refused():
    arch = dict(TINY, text_cfg=dict(TINY['text_cfg'], embed_cls=True))
    with pytest.raises(ValueError, match='^the arch dict: the text tower is that of a CoCa'):
        model_sizes(arch)
