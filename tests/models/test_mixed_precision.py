"""Under autocast, losses and their gradients are those of float32 of the same features."""
import pytest
import torch
from mmaction.registry import MODELS

from mmbt.models.structures import VideoEncoding

from ..support.tiny import FRAMES, PATCHES, build_model, stir

CLIPS = 24
HEADS = {'vtc': dict(type='VTCHead'), 'mbca': dict(type='MBCAHead'),
         'mbta': dict(type='MBTAHead', width=16, embed_dim=12),
         'mbta released': dict(type='MBTAHead', width=16, embed_dim=12, variant='released')}
BOUND = 3e-3
"""0.3 %. With products in bfloat16 it is 0.4 to 1.3 % of these features, by head."""


@pytest.fixture(scope='module')
def trunk():
    model = build_model(trunk=dict(frozen=True)).float()
    stir(model.trunk)
    return model.trunk


def features():
    """What a model hands to the heads in bfloat16, and the leaves that gradients reach.

    Residual streams stay in float32 under autocast, products are in bfloat16.
    """
    generator = torch.Generator().manual_seed(4)
    video, text = (torch.randn(CLIPS, 12, generator=generator).bfloat16() for _ in range(2))
    text = (0.3 * video + text).bfloat16()  # a caption is a little like its clip
    branch, clip = (torch.randn(CLIPS, FRAMES, PATCHES, 16, generator=generator) + 1
                    for _ in range(2))
    return [video.requires_grad_(), branch.requires_grad_(), clip.bfloat16(), text]


def loss_and_gradients(head, trunk, inputs, autocast):
    video, branch, clip, text = inputs
    encoding = VideoEncoding(video=video, clip_tokens=clip, branch_tokens=branch, visible=None,
                             clip_cls=None, branch_cls=None)
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        loss = head(encoding, text, trunk)
    reached = [leaf for leaf in (video, branch, *head.parameters()) if leaf.requires_grad]
    grads = torch.autograd.grad(loss, reached, allow_unused=True)
    return loss, [grad.float() for grad in grads if grad is not None]


@pytest.mark.parametrize('name', HEADS)
def test_losses_and_gradients_are_those_of_float32(name, trunk):
    torch.manual_seed(0)
    head = MODELS.build(HEADS[name])
    inputs = features()
    plain = [tensor.detach().float().requires_grad_(tensor.requires_grad) for tensor in inputs]
    exact, wanted = loss_and_gradients(head, trunk, plain, autocast=False)
    loss, ours = loss_and_gradients(head, trunk, inputs, autocast=True)
    assert len(ours) == len(wanted) > 0
    for a, b in zip(ours, wanted):
        assert (a - b).norm() < BOUND * b.norm()
    assert loss.dtype is torch.float32 and loss.item() == pytest.approx(exact.item(), rel=1e-4)


def test_autocast_is_at_work(trunk):
    """Else the test above would compare one thing with itself."""
    with torch.autocast('cpu', torch.bfloat16):
        assert trunk.proj(torch.ones(2, 16)).dtype is torch.bfloat16
