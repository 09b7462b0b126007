"""Joint space-time attention against a loop over single tokens; its start, whom a patch moves."""
import pytest
import torch

from mmbt.models import FrameMean

from ..support.slow_clip import slow_end, slow_start, two_rows_at_four_frames
from ..support.slow_paper import clip_layer
from ..support.tiny import FRAMES, PATCHES
from ..support.tiny_backbones import build, stirred
from .comparison import assert_agree, assert_same, moved_by_reversal

pytestmark = pytest.mark.slow


def slow_encode(model, images, rows=None):
    """One clip: every token of every frame in one list through each layer of CLIP."""
    visual, size = model.trunk.visual, 1 + PATCHES
    rows = model.backbone.time_embedding if rows is None else rows
    tokens = []
    for (cls, *patches), row in zip(slow_start(visual, images), rows):
        tokens += [cls] + [x + row for x in patches]
    for block in visual.blocks:
        tokens = clip_layer(tokens, block)
    return slow_end(visual, [tokens[i * size:(i + 1) * size] for i in range(len(images))])


@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    """Of a frozen trunk the time embedding alone is trained."""
    model = stirred('JointST', trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'][:2], slow_encode)
    visual = {f'trunk.visual.{name}' for name, _ in model.trunk.visual.named_parameters()}
    assert trained == {'time_embedding'} | (set() if frozen else visual)


def test_other_numbers_of_frames_read_the_time_embedding_interpolated(batch):
    model = stirred('JointST', num_frames=2)
    rows = two_rows_at_four_frames(model.backbone.time_embedding)
    assert_agree(model, batch['imgs'][:1], lambda *clip: slow_encode(*clip, rows))


def test_of_equal_frames_or_a_single_one_it_starts_as_frame_mean_clip(batch):
    """And of unequal ones it does not: they see each other."""
    model = build('JointST')
    mean = FrameMean(model.trunk)
    copies = batch['imgs'][:, 1:2].expand(-1, FRAMES, -1, -1, -1)
    for imgs in (copies, batch['imgs'][:, :1]):
        assert_same(model.encode(imgs), mean(imgs))
    moved = model.encode_video(batch['imgs']) - mean(batch['imgs']).video
    assert moved.abs().max() > 1e-3


def test_the_time_embedding_alone_tells_the_order_of_the_frames(batch):
    model = stirred('JointST')
    assert moved_by_reversal(model.encode_video, batch['imgs']) > 1e-3
    model.backbone.time_embedding.data.zero_()
    assert moved_by_reversal(model.encode_video, batch['imgs']) < 1e-9


def test_a_patch_moves_every_frame_of_its_clip_and_no_other_clip(batch):
    """All tokens but those of the other clips, and the CLS tokens stay equal."""
    model = stirred('JointST')
    other = batch['imgs'].clone()
    other[1, 2, :, 4:8, :4] += 1
    before, after = model.encode(batch['imgs']), model.encode(other)
    for name in ('clip_tokens', 'clip_cls'):
        moved = (getattr(after, name) - getattr(before, name)).abs().amax(dim=-1)
        assert (moved[1] > 1e-6).all() and (moved[[0, 2]] < 1e-12).all()
    torch.testing.assert_close(after.clip_cls, after.clip_cls[:, :1].expand(-1, FRAMES, -1))
