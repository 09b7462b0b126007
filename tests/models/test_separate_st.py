"""Separate space-time attention against a loop over single tokens; its start, at every depth."""
import pytest

from mmbt.models import FrameMean, HuggingFaceTrunk, OpenCLIPTrunk, SeparateST

from ..support.slow_clip import past_cls, slow_end, slow_start, two_rows_at_four_frames
from ..support.slow_paper import clip_layer, temporal_layer
from ..support.tiny import FRAMES, TINY, stir
from ..support.tiny_backbones import build, stirred, where_gradients_are_kept
from ..support.tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, reference, same_weights
from .comparison import assert_agree, assert_same, moved_by_reversal

pytestmark = pytest.mark.slow

every_depth = pytest.mark.parametrize('num_layers', [None, 4, 2, 1])


def slow_encode(model, images, rows=None):
    """One clip: CLIP's layers frame by frame, the last of them behind attention over time."""
    visual, backbone = model.trunk.visual, model.backbone
    rows = backbone.time_embedding if rows is None else rows
    layers, blocks = list(visual.blocks), list(backbone.temporal)

    def timed(patches):
        return [[x + row for x in frame] for frame, row in zip(patches, rows)]

    clip = slow_start(visual, images)
    for layer, block in zip(layers, [None] * (len(layers) - len(blocks)) + blocks):
        if block is not None:
            clip = past_cls(timed, clip) if block is blocks[0] else clip
            clip = past_cls(lambda patches, block=block: temporal_layer(patches, block), clip)
        clip = [clip_layer(frame, layer) for frame in clip]
    return slow_end(visual, clip)


@pytest.mark.parametrize('num_layers', [None, 3, 1])
@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_encoding_and_gradients_agree_token_by_token(frozen, num_layers, batch):
    model = stirred('SeparateST', num_layers=num_layers, trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'][:2], slow_encode)
    visual = {name for name in trained if name.startswith('trunk.visual.')}
    assert len(visual) == (0 if frozen else len(list(model.trunk.visual.parameters())))
    assert len(trained - visual) == 1 + 8 * (num_layers or 4)


def test_other_numbers_of_frames_read_the_time_embedding_interpolated(batch):
    model = stirred('SeparateST-2', num_frames=2)
    rows = two_rows_at_four_frames(model.backbone.time_embedding)
    assert_agree(model, batch['imgs'][:1], lambda *clip: slow_encode(*clip, rows))


@every_depth
def test_it_starts_as_frame_mean_clip_of_any_frames(num_layers, batch):
    """Whatever the temporal attention is before W_t."""
    model = build('SeparateST', num_layers=num_layers)
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
    model = stirred('SeparateST', num_layers=num_layers)
    assert moved_by_reversal(model.encode_video, batch['imgs']) > 1e-3
    model.backbone.time_embedding.data.zero_()
    assert moved_by_reversal(model.encode_video, batch['imgs']) < 1e-9


@every_depth
@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_before_the_first_temporal_layer_a_frozen_clip_runs_without_gradients(
        frozen, num_layers, batch):
    model = build('SeparateST', num_layers=num_layers, trunk=dict(frozen=frozen)).train()
    behind = num_layers or 4
    expected = [not frozen] * (1 + 4 - behind) + [True] * behind
    assert where_gradients_are_kept(model, batch['imgs']) == expected


@pytest.mark.parametrize('tower', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda tower: tower.__name__)
def test_its_layer_norms_have_the_epsilon_of_clip(tower):
    trunk = HuggingFaceTrunk(same_weights(tower, reference(FAMILY[tower])))
    backbone = SeparateST(trunk, num_layers=3)
    assert {block.norm.eps for block in backbone.temporal} == {trunk.eps}


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match='temporal_proj'):
        SeparateST(OpenCLIPTrunk(TINY), temporal_proj='one')
