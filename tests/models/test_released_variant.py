"""What is particular to variant='released': its start, its time rows, its combinations."""
import pytest
import torch

from mmbt.models import BTAdapter, MBTAHead, OpenCLIPTrunk

from ..support.tiny import FRAMES, TINY, build_model, stir, stirred_model

RELEASED = dict(type='BTAdapter', num_layers=3, num_frames=FRAMES, variant='released')


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
    branch = stirred_model('released').backbone.branch
    branch.time_embedding.data.copy_(torch.arange(4.)[:, None].expand(4, 16))
    assert branch.time(2)[0, :, 0, 5].tolist() == [0, 1]
    assert torch.equal(branch.time(4)[0, :, 0], branch.time_embedding)
    expected = torch.tensor([3 * i / 7 for i in range(8)], dtype=torch.float64)
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
    model = stirred_model('released', combination=combination)
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
