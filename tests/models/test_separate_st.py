"""Separate space-time attention against a loop over single tokens; its start, what it trains."""
import copy

import pytest
import torch

from mmbt.apis import load_branch, save_branch
from mmbt.models import FrameMean, HuggingFaceTrunk, OpenCLIPTrunk, SeparateST

from .inside_clip import (
    assert_agree,
    assert_same,
    build,
    slow_end,
    slow_layer,
    slow_start,
    stirred,
    train,
    where_gradients_are_kept,
)
from .slow_paper import temporal_layer
from .tiny import CLIPS, FRAMES, TINY, stir
from .tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, frames, reference, same_weights

BACKBONE = dict(type='SeparateST', num_frames=FRAMES)
LAST_TWO = dict(BACKBONE, num_layers=2)
every_depth = pytest.mark.parametrize('num_layers', [None, 4, 2, 1])


def slow_encode(model, images, rows=None):
    """One clip: CLIP's layers frame by frame, the last of them behind attention over time."""
    visual, backbone = model.trunk.visual, model.backbone
    rows = backbone.time_embedding if rows is None else rows
    clip = slow_start(visual, images)
    layers = list(visual.transformer.resblocks)
    blocks = [None] * (len(layers) - len(backbone.temporal)) + list(backbone.temporal)
    for layer, temporal in zip(layers, blocks):
        if temporal is not None:
            patches = [frame[1:] for frame in clip]
            if temporal is backbone.temporal[0]:
                patches = [[x + row for x in frame] for frame, row in zip(patches, rows)]
            clip = [[frame[0], *moved] for frame, moved
                    in zip(clip, temporal_layer(patches, temporal))]
        clip = [slow_layer(layer, frame) for frame in clip]
    return slow_end(visual, clip)


@pytest.mark.parametrize('num_layers', [None, 3, 1])
@pytest.mark.parametrize('frozen', [True, False])
def test_encoding_and_gradients_agree_token_by_token(num_layers, frozen, batch):
    model = stirred(dict(BACKBONE, num_layers=num_layers), trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'][:2], slow_encode)
    visual = {name for name in trained if name.startswith('trunk.visual.')}
    assert len(visual) == (0 if frozen else len(list(model.trunk.visual.parameters())))
    assert len(trained - visual) == 1 + 8 * (num_layers or 4)


def test_other_numbers_of_frames_read_the_time_embedding_interpolated(batch):
    """Two rows read at four frames: 0, 1/4, 3/4 and 1 of the way."""
    model = stirred(dict(LAST_TWO, num_frames=2))

    def between(model, images):
        first, last = model.backbone.time_embedding
        return slow_encode(model, images, [(1 - w) * first + w * last for w in (0, .25, .75, 1)])

    assert_agree(model, batch['imgs'][:1], between)


@every_depth
def test_it_starts_as_frame_mean_clip_of_any_frames(num_layers, batch):
    """Whatever the temporal attention is before W_t."""
    model = build(dict(BACKBONE, num_layers=num_layers))
    for block in model.backbone.temporal:
        stir(block.attn)
        stir(block.norm)
    mean = FrameMean(model.trunk)
    for imgs in (batch['imgs'], batch['imgs'].flip(1), batch['imgs'][:, :1]):
        assert_same(model.encode(imgs), mean(imgs), atol=1e-12)
    for start in ('random', 'none'):
        other = SeparateST(model.trunk, num_layers, FRAMES, temporal_proj=start).double()
        moved = other(batch['imgs']).video - mean(batch['imgs']).video
        assert moved.abs().max() > 1e-3


@every_depth
def test_the_time_embedding_alone_tells_the_order_of_the_frames(num_layers, batch):
    model = stirred(dict(BACKBONE, num_layers=num_layers))
    backwards = batch['imgs'].flip(1)
    moved = model.encode_video(backwards) - model.encode_video(batch['imgs'])
    assert moved.abs().max() > 1e-3
    model.backbone.time_embedding.data.zero_()
    torch.testing.assert_close(model.encode_video(backwards), model.encode_video(batch['imgs']))


def test_clips_of_a_batch_do_not_touch(batch):
    model = stirred(BACKBONE)
    together = model.encode_video(batch['imgs'])
    alone = torch.cat([model.encode_video(clip[None]) for clip in batch['imgs']])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize('backbone', [BACKBONE, LAST_TWO])
def test_a_frozen_clip_is_bit_identical_after_training_steps(backbone, batch):
    """And all else moves."""
    model = build(backbone, heads=True)
    before = copy.deepcopy(model.state_dict())
    train(model, batch)
    assert not any(module.training for module in model.trunk.modules())
    assert all(parameter.grad is None for parameter in model.trunk.parameters())
    after = model.state_dict()
    assert sum(key.startswith('backbone.trunk.') for key in before) > 60
    for key in before:
        assert torch.equal(before[key], after[key]) == key.startswith('backbone.trunk.'), key


@pytest.mark.parametrize('backbone', [BACKBONE, LAST_TWO])
def test_an_open_trunk_trains_text_and_all(backbone, batch):
    model = stirred(backbone, heads=True, trunk=dict(frozen=False))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    assert any(name.startswith('backbone.trunk.text.') for name in before)
    train(model, batch, steps=1)
    for name, parameter in model.named_parameters():
        assert parameter.grad.any() and not torch.equal(parameter, before[name]), name


@every_depth
@pytest.mark.parametrize('frozen', [True, False])
def test_before_the_first_temporal_layer_a_frozen_clip_runs_without_gradients(
        num_layers, frozen, batch):
    model = build(dict(BACKBONE, num_layers=num_layers), trunk=dict(frozen=frozen)).train()
    behind = num_layers or 4
    expected = [not frozen] * (1 + 4 - behind) + [True] * behind
    assert where_gradients_are_kept(model, batch['imgs']) == expected


@pytest.mark.parametrize('tower', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda tower: tower.__name__)
def test_beside_every_tower_it_encodes_alike(tower, tmp_path):
    """And a branch file carries what is trained from open_clip's tower to transformers'."""
    source = SeparateST(reference(FAMILY[tower]), num_layers=3, num_frames=4).double()
    stir(source.temporal)
    torch.nn.init.normal_(source.time_embedding)
    save_branch(source, tmp_path / 'temporal.pth')
    trunk = HuggingFaceTrunk(same_weights(tower, source.trunk))
    target = SeparateST(trunk, num_layers=3, num_frames=4).double()
    assert {block.norm.eps for block in target.temporal} == {trunk.eps}
    load_branch(target, tmp_path / 'temporal.pth')
    expected = source(frames(FAMILY[tower]))
    if trunk.embed_dim is None:
        expected.video = None
    assert_same(target(frames(FAMILY[tower])), expected)


@pytest.mark.parametrize('backbone', [BACKBONE, LAST_TWO])
def test_without_the_last_layer_it_lacks_its_attention_too(backbone, batch, tmp_path):
    """Loaded from a branch file beside the whole CLIP; the tokens are those before that layer."""
    whole = stirred(backbone).backbone
    save_branch(whole, tmp_path / 'temporal.pth')
    trunk = OpenCLIPTrunk(TINY, drop_last=1).double()
    trunk.load_state_dict(whole.trunk.state_dict())
    short = SeparateST(trunk, backbone.get('num_layers'), FRAMES).double()
    load_branch(short, tmp_path / 'temporal.pth')
    assert len(short.temporal) == len(whole.temporal) - 1
    seen, layer = {}, whole.trunk.layer
    whole.trunk.layer = lambda index, x: seen.setdefault(index, layer(index, x))
    whole(batch['imgs'])
    encoding = short(batch['imgs'])
    assert encoding.video is None
    assert torch.equal(encoding.clip_cls, seen[2][:, :, 0])
    assert torch.equal(encoding.clip_tokens, seen[2][:, :, 1:])


def test_what_it_cannot_do_is_refused(batch):
    model = build(BACKBONE)
    with pytest.raises(ValueError, match='^SeparateST masks nothing; set mask=None in the config$'):
        model.backbone(batch['imgs'], torch.tensor([[0, 1]] * CLIPS))
    with pytest.raises(ValueError, match=r'\(B, T, 3, 12, 12\)'):
        model.encode(torch.zeros(1, 2, 3, 16, 16))
    for change, message in ((dict(num_layers=5), r'num_layers .* 1\.\.4, .* got 5'),
                            (dict(num_layers=0), r'num_layers .* 1\.\.4, .* got 0'),
                            (dict(num_frames=0), 'num_frames must be at least 1, got 0'),
                            (dict(temporal_proj='one'), 'temporal_proj')):
        with pytest.raises(ValueError, match=message):
            SeparateST(model.trunk, **change)
    with pytest.raises(ValueError, match=r'2\.\.4'):
        SeparateST(OpenCLIPTrunk(TINY, drop_last=1), num_layers=1)
    model.trunk.float8 = True
    with pytest.raises(ValueError, match='gradients of SeparateST .* float8=False'):
        SeparateST(model.trunk)
