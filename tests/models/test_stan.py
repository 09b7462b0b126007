"""STAN against a loop over single tokens; how it starts, and what sets it off from BT-Adapter."""
import inspect

import pytest
import torch

from mmbt.models import STAN, BTAdapter, OpenCLIPTrunk
from mmbt.models.structures import VideoEncoding

from ..support.slow_paper import clip_hidden_states, layer_norm, spatial_layer, temporal_layer
from ..support.tiny import FRAMES, TINY, stir
from ..support.tiny_backbones import build, stirred
from ..support.tiny_towers import reference
from .comparison import assert_agree, moved_by_reversal

pytestmark = pytest.mark.slow


def slow_encode(model, images):
    """One clip: CLIP frame by frame, the branch beside it, and each frame's CLS of both summed."""
    trunk, branch, depth = model.trunk, model.backbone.branch, model.trunk.num_layers
    layers, count = model.backbone.num_layers, len(images)
    states = [clip_hidden_states(trunk, image) for image in images]
    visual, last = trunk.visual, torch.stack([state[depth] for state in states])
    space, project = visual.position_embedding, visual.proj.weight.T
    for layer in range(layers):
        level = depth - layers + 1 + layer
        patches = [list(state[level][1:]) for state in states]
        mean_cls = sum(state[level][0] for state in states) / count
        if layer == 0:
            cls = (mean_cls + visual.cls_token + space[0]) / 2
            tokens = [[x + branch.time_embedding[i] + space[1 + j] for j, x in enumerate(row)]
                      for i, row in enumerate(patches)]
        else:
            cls = cls + mean_cls
            tokens = [[a + b for a, b in zip(ours, theirs)]
                      for ours, theirs in zip(tokens, patches)]
        tokens = temporal_layer(tokens, branch.temporal[layer])
        cls, tokens = spatial_layer(cls, tokens, branch.spatial[layer])
    video = sum(layer_norm(cls + frame[0], visual.norm) @ project for frame in last) / count
    return VideoEncoding(video=video, clip_tokens=last[:, 1:], clip_cls=last[:, 0], branch_cls=cls,
                         branch_tokens=torch.stack([torch.stack(frame) for frame in tokens]))


@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    model = stirred('STAN', trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'], slow_encode)
    assert len(trained) == 61 + (0 if frozen else len(list(model.trunk.visual.parameters())))


@pytest.mark.parametrize('family', ['clip', 'eva'])
def test_it_starts_with_copies_of_the_last_layers_and_the_identity(family):
    """Their epsilon too, of which EVA-CLIP's is another than CLIP's; tokens are small to see it."""
    trunk = reference(family)
    branch = STAN(trunk, num_layers=3, num_frames=FRAMES).double().branch
    tokens = 0.01 * torch.randn(2, 1 + trunk.num_patches, trunk.width, dtype=torch.float64)
    for i, (temporal, spatial) in enumerate(zip(branch.temporal, branch.spatial)):
        assert torch.equal(temporal(tokens[None]), tokens[None])
        cls, patches = spatial(tokens[:, 0], tokens[:, None, 1:])
        expected = trunk.block(1 + i, tokens)
        torch.testing.assert_close(cls, expected[:, 0], rtol=0, atol=1e-9)
        torch.testing.assert_close(patches[:, 0], expected[:, 1:], rtol=0, atol=1e-9)


def test_at_the_start_the_time_embedding_alone_tells_the_order_of_the_frames(batch):
    model = build('STAN')
    branch = model.backbone.branch
    assert moved_by_reversal(model.encode_video, batch['imgs']) > 1e-4
    branch.time_embedding.data.zero_()
    assert moved_by_reversal(model.encode_video, batch['imgs']) < 1e-9
    stir(branch.temporal)
    assert moved_by_reversal(model.encode_video, batch['imgs']) < 1e-9


def test_the_time_embedding_starts_as_noise_of_the_scale_asked_for():
    torch.manual_seed(0)
    for scale in (1., 0.1):
        rows = STAN(OpenCLIPTrunk(TINY), num_frames=64, time_scale=scale).branch.time_embedding
        assert rows.shape == (64, 16) and abs(rows.std() / scale - 1) < 0.05


def test_it_is_bt_adapter_in_the_authors_form_but_for_three_things(batch):
    """With sums there, and CLIP's class embedding in place of the shift, they are the same."""
    model = stirred('STAN')
    other = BTAdapter(model.trunk, num_layers=3, num_frames=FRAMES, variant='released',
                      combination='add').double()
    ours, theirs = model.backbone.branch, other.branch
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {'cls_shift'}
    theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not torch.allclose(other(batch['imgs']).video, model.encode_video(batch['imgs']))
    theirs.cls_shift.data.copy_(model.trunk.visual.cls_token)
    torch.testing.assert_close(other(batch['imgs']).video, model.encode_video(batch['imgs']))


def test_what_is_bt_adapters_alone_is_no_argument_of_it():
    taken = inspect.signature(STAN).parameters
    assert not {'combination', 'variant', 'temporal_proj', 'interaction'} & set(taken)
    with pytest.raises(ValueError, match=r"one of \['paper', 'released'\], got 'stan'"):
        BTAdapter(OpenCLIPTrunk(TINY), variant='stan')
