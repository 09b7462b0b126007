"""ST-Adapter against a loop over single tokens; how it starts, and how wide it is."""
from functools import partial

import pytest
import torch

from mmbt.models import FrameMean, OpenCLIPTrunk, STAdapter
from mmbt.models.compared.st_adapter import TimeConvolution

from ..support.slow_clip import past_cls, slow_end, slow_start
from ..support.slow_paper import clip_attention, feed_forward
from ..support.tiny import FRAMES, PATCHES, TINY, stir
from ..support.tiny_backbones import build, stirred
from .comparison import assert_agree, assert_same, moved_by_reversal

pytestmark = pytest.mark.slow


def slow_adapter(adapter, tokens):
    """On tokens[i][j], patch j of frame i: down, three frames weighted channel by channel, up."""
    count = len(tokens)
    hidden = [[adapter.down.weight @ x + adapter.down.bias for x in frame] for frame in tokens]
    kernel = adapter.conv.weight[:, 0, :, 0, 0]
    out = []
    for i in range(count):
        row = []
        for j in range(len(tokens[i])):
            joined = adapter.conv.bias
            for offset in (-1, 0, 1):
                if 0 <= i + offset < count:
                    joined = joined + kernel[:, 1 + offset] * hidden[i + offset][j]
            row.append(tokens[i][j] + adapter.up.weight @ joined + adapter.up.bias)
        out.append(row)
    return out


def slow_encode(model, images):
    """One clip: each half of CLIP's layers frame by frame, behind an adapter over time."""
    visual, backbone = model.trunk.visual, model.backbone
    clip = slow_start(visual, images)
    for block, first, second in zip(visual.blocks, backbone.before_attention, backbone.before_mlp):
        clip = past_cls(partial(slow_adapter, first), clip)
        clip = [clip_attention(frame, block) for frame in clip]
        clip = past_cls(partial(slow_adapter, second), clip)
        clip = [[feed_forward(x, block) for x in frame] for frame in clip]
    return slow_end(visual, clip)


@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    model = stirred('STAdapter', trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'], slow_encode)
    assert len(trained) == 48 + (0 if frozen else len(list(model.trunk.visual.parameters())))


def test_it_starts_as_frame_mean_clip(batch):
    """An adapter passes tokens bit for bit, whatever its first two layers are."""
    model = build('STAdapter')
    for adapter in [*model.backbone.before_attention, *model.backbone.before_mlp]:
        stir(adapter.down)
        stir(adapter.conv)
        tokens = torch.randn(2, FRAMES, PATCHES, 16, dtype=torch.float64)
        assert torch.equal(adapter(tokens), tokens)
    assert_same(model.encode(batch['imgs']), FrameMean(model.trunk)(batch['imgs']), atol=1e-12)
    assert moved_by_reversal(model.encode_video, batch['imgs']) < 1e-9


def test_a_time_convolution_joins_neighbouring_frames_of_one_position():
    """Identity but for the kernel, which takes 1, 10 and 100 of the frame before, here, after."""
    adapter = TimeConvolution(2, 2)
    with torch.no_grad():
        for linear in (adapter.down, adapter.up):
            linear.weight.copy_(torch.eye(2))
            linear.bias.zero_()
        adapter.conv.weight.copy_(torch.tensor([1., 10, 100]).view(1, 1, 3, 1, 1))
        adapter.conv.bias.zero_()
    tokens = torch.zeros(1, 4, 3, 2)
    tokens[0, 1, 2, 0] = 1
    update = adapter(tokens) - tokens
    expected = torch.zeros(1, 4, 3, 2)
    expected[0, 0, 2, 0], expected[0, 1, 2, 0], expected[0, 2, 2, 0] = 100, 10, 1
    assert torch.equal(update, expected)


@pytest.mark.parametrize('width, inner', [(1024, 384), (768, 288), (16, 6)])
def test_an_adapter_has_three_eighths_of_the_channels(width, inner):
    """384 beside ViT-L/14, as the authors have it."""
    arch = dict(TINY, vision_cfg=dict(TINY['vision_cfg'], width=width, layers=1))
    adapter = STAdapter(OpenCLIPTrunk(arch)).before_mlp[0]
    assert [tuple(weight.shape) for weight in adapter.parameters() if weight.ndim == 2] == [
        (inner, width), (width, inner)]


def test_an_adapter_without_channels_is_refused():
    with pytest.raises(ValueError, match='adapter_width must be at least 1'):
        STAdapter(OpenCLIPTrunk(TINY), adapter_width=0)
