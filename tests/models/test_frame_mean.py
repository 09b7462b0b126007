"""CLIP on each frame, and the pooling of its tokens."""
import pytest
import torch

from mmbt.models import FrameMean, STPooling, pool_space_and_time

from .inside_clip import assert_same
from .tiny import CLIPS, FRAMES, PATCHES, build_model


def test_pooling_by_definition():
    """Frames first, positions then, each a mean over the other; clips and channels apart."""
    tokens = torch.randn(CLIPS, FRAMES, PATCHES, 5, dtype=torch.float64, requires_grad=True)
    rows = []
    for clip in tokens:
        frames = [sum(clip[i, j] for j in range(PATCHES)) / PATCHES for i in range(FRAMES)]
        places = [sum(clip[i, j] for i in range(FRAMES)) / FRAMES for j in range(PATCHES)]
        rows.append(torch.stack(frames + places))
    pooled, expected = pool_space_and_time(tokens), torch.stack(rows)
    torch.testing.assert_close(pooled, expected, rtol=0, atol=1e-9)
    weights = torch.linspace(0, 1, expected.numel(), dtype=torch.float64).view_as(expected).sin()
    ours, theirs = [torch.autograd.grad((x * weights).sum(), tokens)[0] for x in (pooled, expected)]
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)


def test_pooling_has_nothing_of_its_own(batch):
    """Its encoding is frame-mean CLIP's, whose unpooled tokens the dialogue models pool."""
    model = build_model(dict(type='STPooling'), mask=None, heads=False)
    assert isinstance(model.backbone, STPooling)
    mean = build_model(dict(type='FrameMean'), mask=None, heads=False)
    assert set(model.state_dict()) == set(mean.state_dict())
    encoding = model.encode(batch['imgs'])
    assert_same(encoding, mean.encode(batch['imgs']), atol=0)
    assert encoding.clip_tokens.shape[1:3] == (FRAMES, PATCHES)


@pytest.mark.parametrize('kind', [FrameMean, STPooling])
def test_a_mask_is_refused_in_one_line(kind, batch):
    """In training, where masks act; an inherited mask does not hinder a test."""
    model = build_model(dict(type=kind.__name__), mask=0.5, heads=False)
    assert model.encode_video(batch['imgs']).shape == (CLIPS, 12)
    with pytest.raises(ValueError, match=f'^{kind.__name__} masks nothing; set mask=None in the '
                                         'config$'):
        model(batch, mode='loss')
