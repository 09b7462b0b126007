"""CLIP on each frame, and the pooling of its tokens."""
import torch

from mmbt.models import STPooling, pool_space_and_time

from ..support.tiny import CLIPS, FRAMES, PATCHES
from ..support.tiny_backbones import build
from .comparison import assert_same


def test_frame_mean_is_the_mean_of_open_clips_own_embeddings(batch):
    model = build('FrameMean')
    expected = torch.stack([model.trunk.visual(clip).mean(dim=0) for clip in batch['imgs']])
    torch.testing.assert_close(model.encode_video(batch['imgs']), expected)


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
    model, mean = build('STPooling'), build('FrameMean')
    assert isinstance(model.backbone, STPooling)
    assert set(model.state_dict()) == set(mean.state_dict())
    encoding = model.encode(batch['imgs'])
    assert_same(encoding, mean.encode(batch['imgs']), atol=0)
    assert encoding.clip_tokens.shape[1:3] == (FRAMES, PATCHES)
