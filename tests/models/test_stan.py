"""STAN against a loop over single tokens; how it starts, what it trains and leaves alone."""
import copy
import inspect

import pytest
import torch
from mmaction.registry import MODELS

from mmbt.apis import load_branch, save_branch
from mmbt.models import STAN, BTAdapter, HuggingFaceTrunk, OpenCLIPTrunk

from .slow_paper import clip_hidden_states, layer_norm, spatial_layer, temporal_layer
from .tiny import CLIPS, FRAMES, TINY, build_model, stir
from .tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, frames, reference, same_weights


def build_stan(heads=False, **kwargs):
    backbone = dict(type='STAN', num_layers=3, num_frames=FRAMES)
    model = build_model(backbone, mask=None, heads=False, **kwargs)
    if heads:
        model.heads.append(MODELS.build(dict(type='VTCHead', temperature=0.07)))
    return model


def stirred(**kwargs):
    """A model whose branch and CLIP have random weights."""
    model = build_stan(**kwargs)
    stir(model.backbone.branch)
    stir(model.trunk.visual, 0.1)
    return model


def slow_encode(model, images):
    """One clip: its embedding, the branch's last tokens by [frame][position], and its last CLS."""
    trunk, branch, depth = model.trunk, model.backbone.branch, model.trunk.num_layers
    layers, count = model.backbone.num_layers, len(images)
    states = [clip_hidden_states(trunk, image) for image in images]
    space = trunk.visual.positional_embedding
    for layer in range(layers):
        level = depth - layers + 1 + layer
        patches = [list(states[i][level][1:]) for i in range(count)]
        mean_cls = sum(states[i][level][0] for i in range(count)) / count
        if layer == 0:
            cls = (mean_cls + trunk.visual.class_embedding + space[0]) / 2
            tokens = [[x + branch.time_embedding[i] + space[1 + j] for j, x in enumerate(row)]
                      for i, row in enumerate(patches)]
        else:
            cls = cls + mean_cls
            tokens = [[a + b for a, b in zip(ours, theirs)]
                      for ours, theirs in zip(tokens, patches)]
        tokens = temporal_layer(tokens, branch.temporal[layer])
        cls, tokens = spatial_layer(cls, tokens, branch.spatial[layer])
    visual = trunk.visual
    video = sum(layer_norm(cls + states[i][depth][0], visual.ln_post) @ visual.proj
                for i in range(count)) / count
    return video, tokens, cls


@pytest.mark.parametrize('frozen', [True, False])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    model = stirred(trunk=dict(frozen=frozen)).train()
    fast = model.encode(batch['imgs'])
    slow = [slow_encode(model, clip) for clip in batch['imgs']]
    ours = (fast.video, fast.branch_tokens, fast.branch_cls)
    theirs = (torch.stack([video for video, _, _ in slow]),
              torch.stack([torch.stack([torch.stack(f) for f in tokens]) for _, tokens, _ in slow]),
              torch.stack([cls for _, _, cls in slow]))
    weights = {n: p for n, p in model.backbone.named_parameters()
               if p.requires_grad and not n.startswith('trunk.text.')}
    assert len(weights) == 61 + (0 if frozen else len(list(model.trunk.visual.parameters())))
    generator = torch.Generator().manual_seed(7)
    totals = [0, 0]
    for a, b in zip(ours, theirs):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9)
        functional = torch.randn(a.shape, generator=generator, dtype=a.dtype)
        totals = [total + (x * functional).sum() for total, x in zip(totals, (a, b))]
    gradients = [torch.autograd.grad(total, weights.values()) for total in totals]
    for name, a, b in zip(weights, *gradients):
        assert a.any(), name
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f'{n}: {m}')


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
    model = build_stan()
    branch = model.backbone.branch
    backwards = batch['imgs'].flip(1)
    moved = model.encode_video(backwards) - model.encode_video(batch['imgs'])
    assert moved.abs().max() > 1e-4
    branch.time_embedding.data.zero_()
    torch.testing.assert_close(model.encode_video(backwards), model.encode_video(batch['imgs']))
    stir(branch.temporal)
    torch.testing.assert_close(model.encode_video(backwards), model.encode_video(batch['imgs']))


def test_time_order_matters_after_training(batch):
    model = stirred()
    moved = model.encode_video(batch['imgs'].flip(1)) - model.encode_video(batch['imgs'])
    assert moved.abs().max() > 1e-3


def test_the_time_embedding_starts_as_noise_of_the_scale_asked_for():
    torch.manual_seed(0)
    for scale in (1., 0.1):
        rows = STAN(OpenCLIPTrunk(TINY), num_frames=64, time_scale=scale).branch.time_embedding
        assert rows.shape == (64, 16) and abs(rows.std() / scale - 1) < 0.05


def test_it_is_bt_adapter_in_the_authors_form_but_for_three_things(batch):
    """With sums there, and CLIP's class embedding in place of the shift, they are the same."""
    model = stirred()
    other = BTAdapter(model.trunk, num_layers=3, num_frames=FRAMES, variant='released',
                      combination='add').double()
    ours, theirs = model.backbone.branch, other.branch
    assert set(theirs.state_dict()) - set(ours.state_dict()) == {'cls_shift'}
    theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not torch.allclose(other(batch['imgs']).video, model.encode_video(batch['imgs']))
    theirs.cls_shift.data.copy_(model.trunk.visual.class_embedding)
    torch.testing.assert_close(other(batch['imgs']).video, model.encode_video(batch['imgs']))


def test_frozen_clip_is_bit_identical_after_training_steps(batch):
    """And all of the branch moves."""
    model = build_stan(heads=True)
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(3):
        model.train()
        assert not any(module.training for module in model.trunk.modules())
        optimizer.zero_grad()
        sum(model(batch, mode='loss').values()).backward()
        optimizer.step()
    after = model.state_dict()
    assert sum(key.startswith('backbone.trunk.') for key in before) > 60
    for key in before:
        assert torch.equal(before[key], after[key]) == key.startswith('backbone.trunk.'), key


def test_an_open_trunk_trains_text_and_all(batch):
    model = stirred(heads=True, trunk=dict(frozen=False)).train()
    sum(model(batch, mode='loss').values()).backward()
    assert any(name.startswith('backbone.trunk.text.') for name, _ in model.named_parameters())
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@pytest.mark.parametrize('build', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda build: build.__name__)
def test_beside_every_tower_the_same_branch_encodes_alike(build, tmp_path):
    """And a branch file carries it from open_clip's tower to that of transformers."""
    source = STAN(reference(FAMILY[build]), num_layers=3, num_frames=4).double()
    stir(source.branch)
    save_branch(source, tmp_path / 'branch.pth')
    trunk = HuggingFaceTrunk(same_weights(build, source.trunk))
    target = STAN(trunk, num_layers=3, num_frames=4).double()
    load_branch(target, tmp_path / 'branch.pth')
    first, second = [each(frames(FAMILY[build])) for each in (source, target)]
    torch.testing.assert_close(second.branch_tokens, first.branch_tokens, rtol=0, atol=1e-9)
    torch.testing.assert_close(second.branch_cls, first.branch_cls, rtol=0, atol=1e-9)
    if trunk.embed_dim is None:
        assert second.video is None
    else:
        torch.testing.assert_close(second.video, first.video, rtol=0, atol=1e-9)


def test_beside_a_clip_without_its_last_layer_the_branch_lacks_one_too(tmp_path, batch):
    source = stirred()
    save_branch(source, tmp_path / 'branch.pth')
    trunk = OpenCLIPTrunk(TINY, drop_last=1).double()
    trunk.load_state_dict(source.trunk.state_dict())
    short = STAN(trunk, num_layers=3, num_frames=FRAMES).double()
    load_branch(short, tmp_path / 'branch.pth')
    seen = []
    hook = source.backbone.branch.spatial[1].register_forward_hook(
        lambda module, inputs, outputs: seen.append(outputs))
    source.encode(batch['imgs'])
    hook.remove()
    encoding = short(batch['imgs'])
    assert encoding.video is None and len(short.branch.spatial) == 2
    assert torch.equal(encoding.branch_cls, seen[0][0])
    assert torch.equal(encoding.branch_tokens, seen[0][1])


def test_what_it_cannot_do_is_refused(batch):
    model = build_stan()
    with pytest.raises(ValueError, match='mask=None in the config') as error:
        model.backbone(batch['imgs'], torch.tensor([[0, 1]] * CLIPS))
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=r'num_layers .* 1\.\.4'):
        STAN(model.trunk, num_layers=5)
    taken = inspect.signature(STAN).parameters
    assert not {'combination', 'variant', 'temporal_proj', 'interaction'} & set(taken)
    with pytest.raises(ValueError, match=r"one of \['paper', 'released'\], got 'stan'"):
        BTAdapter(model.trunk, variant='stan')
