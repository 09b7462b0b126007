"""ST-Adapter against a loop over single tokens; how it starts, what it trains and leaves alone."""
import copy
from types import SimpleNamespace

import pytest
import torch
from mmaction.registry import MODELS

from mmbt.apis import load_branch, save_branch
from mmbt.models import FrameMean, HuggingFaceTrunk, OpenCLIPTrunk, STAdapter
from mmbt.models.backbones.st_adapter import TimeConvolution

from .slow_paper import attention, feed_forward, layer_norm
from .tiny import CLIPS, FRAMES, PATCHES, TINY, build_model, stir
from .tiny_towers import CLIPS_OF_HF, EVAS_OF_HF, FAMILY, frames, reference, same_weights

WIDTH = 6  # of an adapter


def build_adapter(heads=False, **kwargs):
    backbone = dict(type='STAdapter', adapter_width=WIDTH)
    model = build_model(backbone, mask=None, heads=False, **kwargs)
    if heads:
        model.heads.append(MODELS.build(dict(type='VTCHead', temperature=0.07)))
    return model


def adapters_of(adapter):
    return [adapter.before_attention, adapter.before_mlp]


def stirred(**kwargs):
    model = build_adapter(**kwargs)
    for adapters in adapters_of(model.backbone):
        stir(adapters)
    return model


def slow_adapter(tokens, adapter):
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
    """One clip: its embedding, and the last layer's patch tokens by [frame][position]."""
    visual, backbone, count = model.trunk.visual, model.backbone, len(images)
    embedded = [visual._embeds(image[None])[0] for image in images]
    cls, tokens = [x[0] for x in embedded], [list(x[1:]) for x in embedded]
    for index, layer in enumerate(visual.transformer.resblocks):
        attn = SimpleNamespace(
            qkv=SimpleNamespace(weight=layer.attn.in_proj_weight, bias=layer.attn.in_proj_bias),
            proj=layer.attn.out_proj, num_heads=layer.attn.num_heads)
        mlp = SimpleNamespace(norm2=layer.ln_2, fc1=layer.mlp.c_fc, fc2=layer.mlp.c_proj)
        tokens = slow_adapter(tokens, backbone.before_attention[index])
        for i in range(count):
            sequence = [cls[i], *tokens[i]]
            updates = attention([layer_norm(x, layer.ln_1) for x in sequence], attn)
            cls[i], *tokens[i] = [x + u for x, u in zip(sequence, updates)]
        tokens = slow_adapter(tokens, backbone.before_mlp[index])
        tokens = [[feed_forward(x, mlp) for x in frame] for frame in tokens]
        cls = [feed_forward(x, mlp) for x in cls]
    video = sum(layer_norm(x, visual.ln_post) @ visual.proj for x in cls) / count
    return video, tokens, cls


@pytest.mark.parametrize('frozen', [True, False])
def test_encoding_and_gradients_agree_token_by_token(frozen, batch):
    model = stirred(trunk=dict(frozen=frozen)).train()
    stir(model.trunk.visual, 0.1)
    fast = model.encode(batch['imgs'])
    slow = [slow_encode(model, clip) for clip in batch['imgs']]
    ours = (fast.video, fast.clip_tokens, fast.clip_cls)
    theirs = (torch.stack([video for video, _, _ in slow]),
              torch.stack([torch.stack([torch.stack(f) for f in tokens]) for _, tokens, _ in slow]),
              torch.stack([torch.stack(cls) for _, _, cls in slow]))
    weights = {n: p for n, p in model.backbone.named_parameters()
               if p.requires_grad and not n.startswith('trunk.text.')}
    assert len(weights) == 48 + (0 if frozen else len(list(model.trunk.visual.parameters())))
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


def test_it_starts_as_frame_mean_clip(batch):
    """An adapter passes tokens bit for bit, whatever its first two layers are."""
    model = build_adapter()
    for adapters in adapters_of(model.backbone):
        for adapter in adapters:
            stir(adapter.down)
            stir(adapter.conv)
            tokens = torch.randn(2, FRAMES, PATCHES, 16, dtype=torch.float64)
            assert torch.equal(adapter(tokens), tokens)
    encoding, expected = model.encode(batch['imgs']), FrameMean(model.trunk)(batch['imgs'])
    for name in ('video', 'clip_tokens', 'clip_cls'):
        torch.testing.assert_close(getattr(encoding, name), getattr(expected, name), rtol=0,
                                   atol=1e-12)
    assert encoding.branch_tokens is None and encoding.branch_cls is None


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


def test_time_order_matters_once_the_adapters_do_something(batch):
    backwards = batch['imgs'].flip(1)
    fresh, model = build_adapter(), stirred()
    torch.testing.assert_close(fresh.encode_video(backwards), fresh.encode_video(batch['imgs']))
    moved = model.encode_video(backwards) - model.encode_video(batch['imgs'])
    assert moved.abs().max() > 1e-3


def test_clips_of_a_batch_do_not_touch(batch):
    model = stirred()
    together = model.encode_video(batch['imgs'])
    alone = torch.cat([model.encode_video(clip[None]) for clip in batch['imgs']])
    torch.testing.assert_close(together, alone)


def test_frozen_clip_is_bit_identical_after_training_steps(batch):
    """And all adapters move but the last, which VTC does not reach: it stays the identity."""
    model = build_adapter(heads=True)
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
        same = key.startswith(('backbone.trunk.', 'backbone.before_mlp.3.up.'))
        assert torch.equal(before[key], after[key]) == same, key


@pytest.mark.parametrize('frozen', [True, False])
def test_before_the_first_adapter_nothing_is_kept_for_gradients(frozen, batch):
    """Of a frozen trunk; an open one needs its embeddings' gradients."""
    model = stirred(trunk=dict(frozen=frozen)).train()
    seen, embed = [], model.trunk.embed

    def watched(images):
        seen.append(torch.is_grad_enabled())
        return embed(images)

    model.trunk.embed = watched
    assert model.encode_video(batch['imgs']).requires_grad
    assert seen == [not frozen]


def test_an_open_trunk_trains(batch):
    model = stirred(heads=True, trunk=dict(frozen=False)).train()
    sum(model(batch, mode='loss').values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name  # else several processes would wait for it
        reached = bool(parameter.grad.any())
        assert reached == (not name.startswith('backbone.before_mlp.3.')), name


@pytest.mark.parametrize('build', CLIPS_OF_HF + EVAS_OF_HF, ids=lambda build: build.__name__)
def test_beside_every_tower_the_same_adapters_encode_alike(build, tmp_path):
    """And a branch file carries them from open_clip's tower to that of transformers."""
    source = STAdapter(reference(FAMILY[build]), WIDTH).double()
    for adapters in adapters_of(source):
        stir(adapters)
    save_branch(source, tmp_path / 'adapters.pth')
    target = STAdapter(HuggingFaceTrunk(same_weights(build, source.trunk)), WIDTH).double()
    load_branch(target, tmp_path / 'adapters.pth')
    first, second = [each(frames(FAMILY[build])) for each in (source, target)]
    torch.testing.assert_close(second.clip_tokens, first.clip_tokens, rtol=0, atol=1e-9)
    torch.testing.assert_close(second.clip_cls, first.clip_cls, rtol=0, atol=1e-9)
    if target.trunk.embed_dim is None:
        assert second.video is None
    else:
        torch.testing.assert_close(second.video, first.video, rtol=0, atol=1e-9)


def test_without_its_last_layer_clip_has_fewer_adapters_and_no_video(batch, tmp_path):
    source = stirred().backbone
    save_branch(source, tmp_path / 'adapters.pth')
    torch.manual_seed(0)
    short = STAdapter(OpenCLIPTrunk(TINY, drop_last=1), WIDTH).double()
    load_branch(short, tmp_path / 'adapters.pth')
    seen, trunk = [], source.trunk
    whole = trunk.feed_forward
    trunk.feed_forward = lambda index, x: seen.append(whole(index, x)) or seen[-1]
    source(batch['imgs'])
    encoding = short(batch['imgs'])
    assert encoding.video is None and len(short.before_mlp) == 3
    assert torch.equal(encoding.clip_cls, seen[2][:, :, 0])
    assert torch.equal(encoding.clip_tokens, seen[2][:, :, 1:])


@pytest.mark.parametrize('width, inner', [(1024, 384), (768, 288), (16, 6)])
def test_an_adapter_has_three_eighths_of_the_channels(width, inner):
    """384 beside ViT-L/14, as the authors have it."""
    arch = dict(TINY, vision_cfg=dict(TINY['vision_cfg'], width=width, layers=1))
    adapter = STAdapter(OpenCLIPTrunk(arch)).before_mlp[0]
    assert [tuple(weight.shape) for weight in adapter.parameters() if weight.ndim == 2] == [
        (inner, width), (width, inner)]


def test_what_it_cannot_do_is_refused(batch):
    model = build_adapter()
    with pytest.raises(ValueError, match='mask=None in the config') as error:
        model.backbone(batch['imgs'], torch.tensor([[0, 1]] * CLIPS))
    assert '\n' not in str(error.value)
    with pytest.raises(ValueError, match=r'\(B, T, 3, 12, 12\)'):
        model.encode(torch.zeros(1, 2, 3, 16, 16))
    with pytest.raises(ValueError, match='adapter_width must be at least 1'):
        STAdapter(model.trunk, adapter_width=0)
    model.trunk.float8 = True
    with pytest.raises(ValueError, match='float8=False'):
        STAdapter(model.trunk)
