"""Joint space-time attention against a loop over single tokens; its start, what it trains."""
import copy

import pytest
import torch

from mmbt.apis import load_branch, save_branch
from mmbt.models import FrameMean, HuggingFaceTrunk, JointST, OpenCLIPTrunk

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
from .tiny import CLIPS, FRAMES, PATCHES, TINY
from .tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, frames, reference, same_weights

BACKBONE = dict(type='JointST', num_frames=FRAMES)


def slow_encode(model, images, rows=None):
    """One clip: every token of every frame in one list through each layer of CLIP."""
    visual, size = model.trunk.visual, 1 + PATCHES
    rows = model.backbone.time_embedding if rows is None else rows
    tokens = []
    for (cls, *patches), row in zip(slow_start(visual, images), rows):
        tokens += [cls] + [x + row for x in patches]
    for layer in visual.transformer.resblocks:
        tokens = slow_layer(layer, tokens)
    return slow_end(visual, [tokens[i * size:(i + 1) * size] for i in range(len(images))])


@pytest.mark.parametrize('frozen', [True, False])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    model = stirred(BACKBONE, trunk=dict(frozen=frozen)).train()
    trained = assert_agree(model, batch['imgs'][:2], slow_encode)
    visual = {f'trunk.visual.{name}' for name, _ in model.trunk.visual.named_parameters()}
    assert trained == {'time_embedding'} | (set() if frozen else visual)


def test_other_numbers_of_frames_read_the_time_embedding_interpolated(batch):
    """Two rows read at four frames: 0, 1/4, 3/4 and 1 of the way."""
    model = stirred(dict(BACKBONE, num_frames=2))

    def between(model, images):
        first, last = model.backbone.time_embedding
        return slow_encode(model, images, [(1 - w) * first + w * last for w in (0, .25, .75, 1)])

    assert_agree(model, batch['imgs'][:1], between)


def test_of_equal_frames_or_a_single_one_it_starts_as_frame_mean_clip(batch):
    """And of unequal ones it does not: they see each other."""
    model = build(BACKBONE)
    mean = FrameMean(model.trunk)
    copies = batch['imgs'][:, 1:2].expand(-1, FRAMES, -1, -1, -1)
    for imgs in (copies, batch['imgs'][:, :1]):
        assert_same(model.encode(imgs), mean(imgs))
    moved = model.encode_video(batch['imgs']) - mean(batch['imgs']).video
    assert moved.abs().max() > 1e-3


def test_the_time_embedding_alone_tells_the_order_of_the_frames(batch):
    model = stirred(BACKBONE)
    backwards = batch['imgs'].flip(1)
    moved = model.encode_video(backwards) - model.encode_video(batch['imgs'])
    assert moved.abs().max() > 1e-3
    model.backbone.time_embedding.data.zero_()
    torch.testing.assert_close(model.encode_video(backwards), model.encode_video(batch['imgs']))


def test_a_patch_moves_every_frame_of_its_clip_and_no_other_clip(batch):
    """All tokens but those of the other clips, and the CLS tokens stay equal."""
    model = stirred(BACKBONE)
    other = batch['imgs'].clone()
    other[1, 2, :, 4:8, :4] += 1
    before, after = model.encode(batch['imgs']), model.encode(other)
    for name in ('clip_tokens', 'clip_cls'):
        moved = (getattr(after, name) - getattr(before, name)).abs().amax(dim=-1)
        assert (moved[1] > 1e-6).all() and (moved[[0, 2]] < 1e-12).all()
    torch.testing.assert_close(after.clip_cls, after.clip_cls[:, :1].expand(-1, FRAMES, -1))


def test_a_frozen_clip_is_bit_identical_after_training_steps(batch):
    model = build(BACKBONE, heads=True)
    before = copy.deepcopy(model.state_dict())
    train(model, batch)
    assert not any(module.training for module in model.trunk.modules())
    assert all(parameter.grad is None for parameter in model.trunk.parameters())
    changed = {key for key, value in model.state_dict().items()
               if not torch.equal(value, before[key])}
    assert changed == {'backbone.time_embedding'}
    assert (model.backbone.time_embedding != 0).all()


def test_an_open_trunk_trains_text_and_all(batch):
    model = build(BACKBONE, heads=True, trunk=dict(frozen=False))
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    assert any(name.startswith('backbone.trunk.text.') for name in before)
    train(model, batch, steps=1)
    for name, parameter in model.named_parameters():
        assert parameter.grad.any() and not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize('frozen', [True, False])
def test_only_a_frozen_embedding_runs_without_gradients(frozen, batch):
    model = build(BACKBONE, trunk=dict(frozen=frozen)).train()
    assert where_gradients_are_kept(model, batch['imgs']) == [not frozen] + [True] * 4


@pytest.mark.parametrize('tower', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda tower: tower.__name__)
def test_beside_every_tower_it_encodes_alike(tower, tmp_path):
    """And a branch file carries the time embedding from open_clip's tower to transformers'."""
    source = JointST(reference(FAMILY[tower]), num_frames=4).double()
    torch.nn.init.normal_(source.time_embedding)
    save_branch(source, tmp_path / 'time.pth')
    target = JointST(HuggingFaceTrunk(same_weights(tower, source.trunk)), num_frames=4).double()
    load_branch(target, tmp_path / 'time.pth')
    assert torch.equal(target.time_embedding, source.time_embedding)
    expected = source(frames(FAMILY[tower]))
    if target.trunk.embed_dim is None:
        expected.video = None
    assert_same(target(frames(FAMILY[tower])), expected)


def test_without_the_last_layer_its_tokens_are_those_before_it(batch):
    whole = stirred(BACKBONE).backbone
    short = JointST(OpenCLIPTrunk(TINY, drop_last=1).double(), num_frames=FRAMES).double()
    short.load_state_dict(whole.state_dict())
    seen, layer = [], whole.trunk.layer
    whole.trunk.layer = lambda *a, **k: seen.append(layer(*a, **k)) or seen[-1]
    whole(batch['imgs'])
    encoding = short(batch['imgs'])
    assert encoding.video is None
    assert torch.equal(encoding.clip_cls, seen[2][:, :, 0])
    assert torch.equal(encoding.clip_tokens, seen[2][:, :, 1:])


def test_what_it_cannot_do_is_refused(batch):
    model = build(BACKBONE)
    with pytest.raises(ValueError, match='^JointST masks nothing; set mask=None in the config$'):
        model.backbone(batch['imgs'], torch.tensor([[0, 1]] * CLIPS))
    with pytest.raises(ValueError, match=r'\(B, T, 3, 12, 12\)'):
        model.encode(torch.zeros(1, 2, 3, 16, 16))
    with pytest.raises(ValueError, match='num_frames must be at least 1, got 0'):
        JointST(model.trunk, num_frames=0)
    model.trunk.float8 = True
    with pytest.raises(ValueError, match='gradients of JointST .* float8=False'):
        JointST(model.trunk)
