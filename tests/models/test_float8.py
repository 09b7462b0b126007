"""Float8 products of the frozen trunk: by hand, against full precision, and what is refused."""
import pytest
import torch
import torch.nn.functional as F

from mmbt.models import OpenCLIPTrunk
from mmbt.models.float8 import float8_linear, to_float8

from ..support.tiny import TINY, build_model, stir

BACKBONE = dict(type='BTAdapter', num_layers=3, num_frames=4)
SMALL = dict(
    embed_dim=64,
    vision_cfg=dict(image_size=32, patch_size=8, width=128, layers=6, head_width=32),
    text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=1),
    quick_gelu=True)


def test_rows_are_scaled_to_float8_s_range():
    """448 is the largest number of e4m3; a row of 1, 2, -4 becomes 112, 224, -448, all exact."""
    rows = torch.tensor([[1., 2., -4.] + [0.] * 13, [0.] * 16])
    scaled, back = to_float8(rows)
    assert scaled.dtype is torch.float8_e4m3fn
    assert scaled[0, :3].float().tolist() == [112, 224, -448]
    torch.testing.assert_close(scaled.float() * back, rows)


def test_a_product_is_near_the_one_in_full_precision():
    """Three bits of mantissa: each factor is off by up to 1/16, their sum over 256 much less."""
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(3, 200, 256, generator=generator) * 10
    weight = torch.randn(48, 256, generator=generator)
    weight[3] *= 1000  # a row of its own scale
    bias = torch.randn(48, generator=generator)
    ours, exact = float8_linear(tokens, weight, bias).float(), F.linear(tokens, weight, bias)
    assert ours.shape == exact.shape
    for row in range(48):
        cosine = F.cosine_similarity(ours[..., row].flatten(), exact[..., row].flatten(), dim=0)
        assert cosine > 0.998
    assert not torch.equal(ours, exact)


def build(float8):
    torch.manual_seed(0)
    trunk = OpenCLIPTrunk(SMALL, float8=float8)
    for parameter in trunk.visual.parameters():
        if parameter.ndim == 1:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    return trunk


def test_features_are_those_of_bfloat16_to_a_thousandth():
    """The same weights, layer by layer, and at the end of the tower."""
    plain, float8 = build(False), build(True)
    imgs = torch.randn(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.autocast('cpu', torch.bfloat16):
        expected = plain.hidden_states(imgs, range(7))
        found = float8.hidden_states(imgs, range(7))
    for ours, theirs in zip(found, expected):
        assert ours.patches.dtype is torch.float32
        cosine = F.cosine_similarity(ours.patches.float(), theirs.patches.float(), dim=-1)
        assert cosine.min() > 0.999
    assert not torch.equal(found[-1].patches, expected[-1].patches.float())
    ours, theirs = (t.proj(t.norm(s[-1].cls.float())) for t, s in ((float8, found),
                                                                  (plain, expected)))
    assert F.cosine_similarity(ours, theirs, dim=-1).min() > 0.999


@pytest.mark.parametrize('precise', [True, False])
def test_the_branch_trains_beside_it(precise, batch):
    model = build_model(BACKBONE, trunk=dict(float8=True)).float()
    stir(model.backbone.branch)
    inputs = dict(imgs=batch['imgs'].float(), tokens=batch['tokens'])
    with torch.autocast('cpu', torch.bfloat16, enabled=not precise):
        losses = model(inputs, mode='loss')
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all()
               for p in model.backbone.branch.parameters())
    assert all(p.grad is None for p in model.trunk.parameters())


def test_checkpoints_do_not_know_of_it():
    plain, float8 = build_model(BACKBONE), build_model(BACKBONE, trunk=dict(float8=True))
    assert plain.state_dict().keys() == float8.state_dict().keys()


def test_what_it_cannot_serve_is_refused():
    with pytest.raises(ValueError, match='a frozen trunk alone'):
        OpenCLIPTrunk(TINY, frozen=False, float8=True)
    odd = dict(SMALL, vision_cfg=dict(SMALL['vision_cfg'], width=72, head_width=36))
    with pytest.raises(ValueError, match='widths that 16 divides, got 72'):
        OpenCLIPTrunk(odd, float8=True)
