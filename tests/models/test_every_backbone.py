"""What every backbone has in common: what it mixes, trains, leaves alone, stores and refuses."""
import copy

import pytest
import torch

from mmbt.apis import load_branch, save_branch
from mmbt.models import HuggingFaceTrunk, OpenCLIPTrunk
from mmbt.models.structures import VideoEncoding

from ..support.tiny import CLIPS, FRAMES, PATCHES, TINY
from ..support.tiny_backbones import (
    BACKBONES,
    beside,
    build,
    own_state,
    stir_own,
    stirred,
    watch,
    where_gradients_are_kept,
)
from ..support.tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, frames, reference, same_weights
from .comparison import assert_same, moved_by_reversal, parts

FRAME_BY_FRAME = ['FrameMean', 'STPooling']
TRAINED = [name for name in BACKBONES if name not in FRAME_BY_FRAME]
INSIDE_CLIP = ['STAdapter', 'JointST', 'SeparateST']
# In which no zero start keeps a gradient from any weight.
OPEN_FROM_THE_START = [*FRAME_BY_FRAME, 'JointST']
# The adapter behind which no CLS reads the patches any more; VTC does not reach it.
UNREACHED = 'backbone.before_mlp.3.'
# What stands beside or before CLIP's last layer.
LAST = {
    'BTAdapter': ('branch.temporal.2.', 'branch.spatial.2.', 'branch.gates.1.'),
    'BTAdapter-released': ('branch.temporal.2.', 'branch.spatial.2.', 'branch.gates.1.'),
    'STAN': ('branch.temporal.2.', 'branch.spatial.2.'),
    'STAdapter': ('before_attention.3.', 'before_mlp.3.'),
    'SeparateST': ('temporal.3.', ),
    'SeparateST-2': ('temporal.1.', ),
}


def over(names):
    return pytest.mark.parametrize('backbone', list(names))


def train(model, batch, steps=3):
    """A few large steps on everything that the optimizer is given, with decay of weights."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(steps):
        model.train()
        assert {module.training for module in model.trunk.modules()} == {not model.trunk.frozen}
        optimizer.zero_grad()
        sum(model(batch, mode='loss').values()).backward()
        optimizer.step()


@over(BACKBONES)
def test_clips_of_a_batch_do_not_touch(backbone, batch):
    model = stirred(backbone)
    each = [parts(model.encode(clip[None])) for clip in batch['imgs']]
    alone = VideoEncoding(**{name: torch.cat([one[name] for one in each]) for name in each[0]})
    assert_same(model.encode(batch['imgs']), alone)


@over(BACKBONES)
def test_time_order_matters_but_to_clip_frame_by_frame(backbone, batch):
    moved = moved_by_reversal(stirred(backbone).encode_video, batch['imgs'])
    assert (moved < 1e-9) if backbone in FRAME_BY_FRAME else (moved > 1e-3)


@over(TRAINED)
def test_a_frozen_clip_is_bit_identical_after_training_steps(backbone, batch):
    """And all else moves, but the adapter that VTC does not reach: it stays the identity."""
    model = build(backbone, heads=True)
    before = copy.deepcopy(model.state_dict())
    train(model, batch)
    after = model.state_dict()
    assert all(parameter.grad is None for parameter in model.trunk.parameters())
    assert sum(key.startswith('backbone.trunk.') for key in before) > 60
    for key in before:
        stays = key.startswith(('backbone.trunk.', UNREACHED + 'up.'))
        assert torch.equal(before[key], after[key]) == stays, key
        if key.endswith('time_embedding'):
            assert (before[key] != after[key]).all()


@over(BACKBONES)
def test_an_open_trunk_trains_text_and_all(backbone, batch):
    """A gradient of every weight, without which several processes would wait for it."""
    start = build if backbone in OPEN_FROM_THE_START else stirred
    model = start(backbone, heads=True, trunk=dict(frozen=False))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for tower in ('visual', 'text'):
        assert any(name.startswith(f'backbone.trunk.{tower}.') for name in before)
    train(model, batch, steps=1)
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any() == (not name.startswith(UNREACHED)), name
        assert not torch.equal(parameter, before[name]), name


@over(TRAINED)
@pytest.mark.parametrize('frozen', [True, False], ids=['frozen', 'open'])
def test_before_the_first_trained_weight_a_frozen_clip_runs_without_gradients(
        frozen, backbone, batch):
    """Nothing is kept there; an open one needs its embedding's gradients."""
    model = build(backbone, trunk=dict(frozen=frozen)).train()
    first = {'STAdapter': 1, 'JointST': 1, 'SeparateST': 1, 'SeparateST-2': 3}.get(backbone, 5)
    steps = 9 if backbone == 'STAdapter' else 5
    expected = [not frozen] * first + [True] * (steps - first)
    assert where_gradients_are_kept(model, batch['imgs']) == expected


@over(['STAN', 'STAdapter', 'JointST', 'SeparateST-2'])
@pytest.mark.parametrize('tower', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda tower: tower.__name__)
def test_beside_every_tower_it_encodes_alike(backbone, tower, tmp_path):
    """And a branch file carries what is trained from open_clip's tower to transformers'.

    BT-Adapter's is tested with HuggingFaceTrunk.
    """
    source = beside(reference(FAMILY[tower]), backbone)
    stir_own(source)
    save_branch(source, tmp_path / 'branch.pth')
    target = beside(HuggingFaceTrunk(same_weights(tower, source.trunk)), backbone)
    load_branch(target, tmp_path / 'branch.pth')
    loaded = own_state(target)
    assert all(torch.equal(value, loaded[name]) for name, value in own_state(source).items())
    expected = source(frames(FAMILY[tower]))
    if target.trunk.embed_dim is None:
        expected.video = None
    assert_same(target(frames(FAMILY[tower])), expected)


def before_the_last_layer(backbone, imgs):
    """What stands before CLIP's last layer and beside it, seen while the whole backbone runs."""
    after_layers, in_branch = [], []
    watch(backbone.trunk, ('block', 'feed_forward'), after_layers.append)
    if hasattr(backbone, 'branch'):
        backbone.branch.spatial[-2].register_forward_hook(lambda *call: in_branch.extend(call[-1]))
    backbone(imgs)
    assert len(after_layers) == 4
    tokens = after_layers[2].reshape(CLIPS, FRAMES, 1 + PATCHES, -1)
    cls, patches = in_branch or (None, None)
    return VideoEncoding(video=None, clip_tokens=tokens[:, :, 1:], clip_cls=tokens[:, :, 0],
                         branch_tokens=patches, branch_cls=cls)


@over(BACKBONES)
def test_without_clips_last_layer_it_lacks_what_is_beside_it_and_the_video(
        backbone, batch, tmp_path):
    """The rest is loaded from a branch file; the tokens are those before that layer, to the bit."""
    whole = stirred(backbone).backbone
    trunk = OpenCLIPTrunk(TINY, drop_last=1).double()
    trunk.load_state_dict(whole.trunk.state_dict())
    short = beside(trunk, backbone)
    if backbone in TRAINED:
        save_branch(whole, tmp_path / 'branch.pth')
        load_branch(short, tmp_path / 'branch.pth')
    lost = own_state(whole).keys() - own_state(short).keys()
    last = LAST.get(backbone, ())
    assert lost == {name for name in own_state(whole) if name.startswith(last)}
    assert all(any(name.startswith(part) for name in lost) for part in last)
    assert_same(short(batch['imgs']), before_the_last_layer(whole, batch['imgs']), atol=0)


@over(name for name in BACKBONES if not name.startswith('BTAdapter'))
def test_a_mask_is_refused_in_one_line(backbone, batch):
    """Given in training, where masks act; an inherited mask does not hinder a test."""
    model = build(backbone, mask=0.5)
    assert model.encode_video(batch['imgs']).shape == (CLIPS, 12)
    for call in (lambda: model(batch, mode='loss'),
                 lambda: model.backbone(batch['imgs'], torch.tensor([[0, 1]] * CLIPS))):
        with pytest.raises(ValueError) as error:
            call()
        name = BACKBONES[backbone]['type']
        assert str(error.value) == f'{name} masks nothing; set mask=None in the config'


@over(BACKBONES)
def test_frames_of_another_size_are_refused(backbone):
    with pytest.raises(ValueError, match=r'\(B, T, 3, 12, 12\), got \(1, 2, 3, 16, 16\)'):
        build(backbone).encode(torch.zeros(1, 2, 3, 16, 16))


@over(INSIDE_CLIP)
def test_a_trunk_without_gradients_is_refused(backbone):
    trunk = OpenCLIPTrunk(TINY)
    trunk.float8 = True
    with pytest.raises(ValueError, match=f'gradients of {backbone} .* float8=False'):
        beside(trunk, backbone)


@over(['BTAdapter', 'BTAdapter-released', 'STAN', 'SeparateST'])
def test_layers_that_clip_does_not_have_are_refused(backbone):
    """Counted on the whole CLIP, of which some may be dropped."""
    for count, drop_last, message in ((5, 0, r'num_layers .* 1\.\.4, .* got 5'),
                                      (0, 0, r'num_layers .* 1\.\.4, .* got 0'),
                                      (1, 1, r'num_layers .* 2\.\.4, .* got 1')):
        with pytest.raises(ValueError, match=message):
            beside(OpenCLIPTrunk(TINY, drop_last=drop_last), backbone, num_layers=count)


@over(['BTAdapter', 'BTAdapter-released', 'STAN', 'JointST', 'SeparateST'])
def test_a_time_embedding_of_no_frame_is_refused(backbone):
    with pytest.raises(ValueError, match='num_frames must be at least 1, got 0'):
        beside(OpenCLIPTrunk(TINY), backbone, num_frames=0)
