"""variant='released' against a loop over single tokens (slow_released.py), and its time rows."""
import pytest
import torch
from mmaction.registry import MODELS

from mmbt.models import BTAdapter, MBTAHead, OpenCLIPTrunk

from . import slow_released
from .tiny import CLIPS, FRAMES, PATCHES, TINY, build_model, stir

RELEASED = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, variant='released')


def released_model(**change):
    """A stirred model with the released branch and the released MBTA."""
    model = build_model(dict(RELEASED, **change))
    sizes = dict(width=model.trunk.width, embed_dim=model.trunk.embed_dim)
    model.heads[1] = MODELS.build(dict(type='MBTAHead', variant='released', **sizes)).double()
    stir(model.backbone.branch)
    stir(model.heads)
    return model


def test_encoding_agrees_token_by_token(batch):
    model = released_model()
    visible = torch.tensor([[0, 2, 5], [1, 2, 8], [3, 4, 6]])
    encoding = model.backbone(batch['imgs'], visible)
    for b in range(CLIPS):
        video, branch, clip = slow_released.encode_clip(
            model, batch['imgs'][b], visible[b].tolist())
        torch.testing.assert_close(encoding.video[b], video, rtol=0, atol=1e-9)
        for i in range(FRAMES):
            torch.testing.assert_close(encoding.branch_tokens[b, i], torch.stack(branch[i]))
            torch.testing.assert_close(encoding.clip_tokens[b, i], torch.stack(clip[i]))


def test_losses_and_gradients_agree(batch):
    model = released_model()
    torch.manual_seed(5)
    fast = model(batch, mode='loss')
    torch.manual_seed(5)
    visible = model.mask(CLIPS, FRAMES, PATCHES, batch['imgs'].device)
    slow = slow_released.losses(model, batch['imgs'], batch['tokens'], visible)
    assert set(fast) == set(slow)
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    for name in fast:
        torch.testing.assert_close(fast[name], slow[name], rtol=1e-8, atol=1e-8)
    ours = torch.autograd.grad(sum(fast.values()), trained.values())
    theirs = torch.autograd.grad(sum(slow.values()), trained.values())
    for key, a, b in zip(trained, ours, theirs):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7, msg=lambda m, k=key: f'{k}: {m}')


def test_it_starts_as_the_authors_code_does():
    """Zero shift, half-open gates, zero W_t, a noisy time embedding."""
    torch.manual_seed(0)
    branch = BTAdapter(OpenCLIPTrunk(TINY), variant='released', num_frames=64).branch
    assert not branch.cls_shift.any() and not branch.output_gate.weight.any()
    assert all(not block.temporal_fc.weight.any() for block in branch.temporal)
    assert abs(branch.time_embedding.std() - 1) < 0.05
    assert abs(branch.time_embedding.mean()) < 0.1


def test_fewer_frames_read_the_first_rows_and_more_are_interpolated():
    """Rows 0, 1, 2, 3 at two frames are 0, 1; at eight they are spread as in the paper's form."""
    branch = released_model().backbone.branch
    branch.time_embedding.data.copy_(torch.arange(4.)[:, None].expand(4, 16))
    assert branch.time(2)[0, :, 0, 5].tolist() == [0, 1]
    assert torch.equal(branch.time(4)[0, :, 0], branch.time_embedding)
    expected = torch.tensor([0, .25, .75, 1.25, 1.75, 2.25, 2.75, 3], dtype=torch.float64)
    torch.testing.assert_close(branch.time(8)[0, :, 0, 5], expected)


@pytest.mark.parametrize('variant', ['paper', 'released'])
@pytest.mark.parametrize('frames', [1, 2, 4, 7, 64])
def test_no_row_is_read_that_was_not_trained(variant, frames, batch):
    """The rows that any number of frames reads are those that training at 4 frames reaches."""
    model = build_model(dict(RELEASED, variant=variant))
    branch = model.backbone.branch
    rows = branch.time_embedding
    branch.time(FRAMES).sum().backward()
    assert (rows.grad != 0).all()
    assert len(rows) == FRAMES
    read = branch.time(frames)
    assert read.shape == (1, frames, 1, 16)
    low, high = rows.min(dim=0).values, rows.max(dim=0).values
    assert (read >= low - 1e-9).all() and (read <= high + 1e-9).all()


@pytest.mark.parametrize('variant', ['paper', 'released'])
def test_the_trained_number_of_frames_is_not_interpolated(variant, batch):
    """Bit for bit what reading the rows as they are gives."""
    model = build_model(dict(RELEASED, variant=variant))
    stir(model.backbone.branch)
    expected = model.encode_video(batch['imgs'])
    rows = model.backbone.branch.time_embedding
    model.backbone.branch.time = lambda frames: rows[None, :frames, None]
    assert torch.equal(model.encode_video(batch['imgs']), expected)


@pytest.mark.parametrize('combination', ['add', 'concat'])
def test_other_combinations_work_frame_by_frame(combination, batch):
    model = released_model(combination=combination)
    encoding = model.encode(batch['imgs'])
    gate, trunk = model.backbone.branch.output_gate, model.trunk
    frames = [trunk.proj(trunk.norm(gate(encoding.branch_cls, encoding.clip_cls[:, i])))
              for i in range(FRAMES)]
    torch.testing.assert_close(encoding.video, sum(frames) / FRAMES)


def test_unknown_variants_are_refused():
    with pytest.raises(ValueError, match="variant is one of .*, got 'last'"):
        BTAdapter(OpenCLIPTrunk(TINY), variant='last')
    with pytest.raises(ValueError, match="'paper' or 'released', got 'last'"):
        MBTAHead(16, 12, variant='last')
