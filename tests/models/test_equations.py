"""The model against loops over single tokens: of the paper, and of the authors' released code."""
import pytest
import torch

from ..support import slow_paper, slow_released
from ..support.tiny import CLIPS, FRAMES, PATCHES, build_model, stirred_model

VARIANTS = pytest.mark.parametrize(('variant', 'by_token'), [
    ('paper', slow_paper), ('released', slow_released)], ids=['paper', 'released'])


@VARIANTS
def test_encoding_agrees_token_by_token(variant, by_token, batch):
    model = stirred_model(variant)
    visible = torch.tensor([[0, 2, 5], [1, 2, 8], [3, 4, 6]])
    encoding = model.backbone(batch['imgs'], visible)
    for b in range(CLIPS):
        video, branch, clip = by_token.encode_clip(model, batch['imgs'][b], visible[b].tolist())
        torch.testing.assert_close(encoding.video[b], video, rtol=0, atol=1e-9)
        for i in range(FRAMES):
            torch.testing.assert_close(encoding.branch_tokens[b, i], torch.stack(branch[i]))
            torch.testing.assert_close(encoding.clip_tokens[b, i], torch.stack(clip[i]))


@pytest.mark.parametrize('frames', [1, 3, 7])
def test_encoding_of_fewer_and_of_more_frames_than_trained_agrees(frames):
    """Of four rows of the time embedding."""
    model = stirred_model()
    generator = torch.Generator().manual_seed(6)
    imgs = torch.randn(1, frames, 3, 12, 12, generator=generator, dtype=torch.float64)
    encoding = model.backbone(imgs, torch.tensor([[1, 4, 7]]))
    video, branch, _ = slow_paper.encode_clip(model, imgs[0], [1, 4, 7])
    torch.testing.assert_close(encoding.video[0], video, rtol=0, atol=1e-9)
    for i in range(frames):
        torch.testing.assert_close(encoding.branch_tokens[0, i], torch.stack(branch[i]))


@VARIANTS
def test_losses_and_gradients_agree(variant, by_token, batch):
    model = stirred_model(variant)
    torch.manual_seed(5)
    fast = model(batch, mode='loss')
    torch.manual_seed(5)
    visible = model.mask(CLIPS, FRAMES, PATCHES, batch['imgs'].device)
    slow = by_token.losses(model, batch['imgs'], batch['tokens'], visible)
    assert set(fast) == set(slow) == {'loss_vtc', 'loss_mbta', 'loss_mbca'}
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for name in fast:
        torch.testing.assert_close(fast[name], slow[name], rtol=1e-8, atol=1e-8)
        options = dict(retain_graph=True, allow_unused=True)
        ours = torch.autograd.grad(fast[name], trained.values(), **options)
        theirs = torch.autograd.grad(slow[name], trained.values(), **options)
        reached = 0
        for key, a, b in zip(trained, ours, theirs):
            if b is None:  # a part that this loss does not reach
                assert a is None or not a.any(), key
                continue
            reached += 1
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=lambda m, k=key: f'{k}: {m}')
        assert reached > 30


def test_every_trainable_parameter_gets_a_gradient(batch):
    model = build_model()
    sum(model(batch, mode='loss').values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (parameter.grad is not None), name
