"""What the tests of attention over time inside CLIP share: a slow CLIP, and how to compare."""
from types import SimpleNamespace

import torch
from mmaction.registry import MODELS

from .slow_paper import attention, feed_forward, layer_norm
from .tiny import build_model, stir


def build(backbone, heads=False, **kwargs):
    """A VideoTextModel on the tiny trunk that masks nothing, with VTC alone or without heads."""
    model = build_model(backbone, mask=None, heads=False, **kwargs)
    if heads:
        model.heads.append(MODELS.build(dict(type='VTCHead', temperature=0.07)))
    return model


def stirred(backbone, **kwargs):
    """The same with random weights, those of the trunk last, so that they do not depend on it."""
    model = build(backbone, **kwargs)
    for name, child in model.backbone.named_children():
        if name != 'trunk':
            stir(child)
    generator = torch.Generator().manual_seed(4)
    rows = model.backbone.time_embedding
    rows.data = 0.5 * torch.randn(rows.shape, generator=generator, dtype=rows.dtype)
    stir(model.trunk.visual, 0.1)
    return model


def slow_start(visual, images):
    """V(0) of each frame by open_clip's own embedding, as lists of tokens, the CLS first."""
    return [list(visual._embeds(image[None])[0]) for image in images]


def slow_layer(layer, sequence):
    """One layer of open_clip on a list of tokens (D,), which attend to each other."""
    attn = SimpleNamespace(
        qkv=SimpleNamespace(weight=layer.attn.in_proj_weight, bias=layer.attn.in_proj_bias),
        proj=layer.attn.out_proj, num_heads=layer.attn.num_heads)
    mlp = SimpleNamespace(norm2=layer.ln_2, fc1=layer.mlp.c_fc, fc2=layer.mlp.c_proj)
    updates = attention([layer_norm(x, layer.ln_1) for x in sequence], attn)
    return [feed_forward(x + u, mlp) for x, u in zip(sequence, updates)]


def slow_end(visual, frames):
    """Embedding, patch tokens (T, N, D) and CLS tokens (T, D) of a clip's frames."""
    video = sum(layer_norm(frame[0], visual.ln_post) @ visual.proj for frame in frames)
    patches = torch.stack([torch.stack(frame[1:]) for frame in frames])
    return video / len(frames), patches, torch.stack([frame[0] for frame in frames])


def assert_agree(model, imgs, slow_encode):
    """Encoding and the gradients of all that is trained, against a slow encoding of one clip.

    Returns:
        The names of what is trained outside the text tower.
    """
    fast = model.encode(imgs)
    assert fast.branch_tokens is None and fast.branch_cls is None and fast.visible is None
    ours = fast.video, fast.clip_tokens, fast.clip_cls
    theirs = [torch.stack(parts) for parts in zip(*(slow_encode(model, clip) for clip in imgs))]
    weights = {n: p for n, p in model.backbone.named_parameters()
               if p.requires_grad and not n.startswith('trunk.text.')}
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
    return set(weights)


def assert_same(encoding, other, atol=1e-9):
    """Two encodings are the same in all that is not None, and None in the same places."""
    for name in ('video', 'clip_tokens', 'clip_cls', 'branch_tokens', 'branch_cls', 'visible'):
        a, b = getattr(encoding, name), getattr(other, name)
        assert (a is None) == (b is None), name
        if a is not None:
            torch.testing.assert_close(a, b, rtol=0, atol=atol)


def train(model, batch, steps=3):
    """A few large steps on everything that the optimizer is given, with decay of weights."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.5)
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        sum(model(batch, mode='loss').values()).backward()
        optimizer.step()


def where_gradients_are_kept(model, imgs):
    """For the embedding and each layer of CLIP, whether it ran with gradients."""
    seen, trunk = [], model.trunk
    embed, block = trunk.embed, trunk.block

    def watch(call):
        def watched(*args):
            seen.append(torch.is_grad_enabled())
            return call(*args)
        return watched

    trunk.embed, trunk.block = watch(embed), watch(block)
    assert model.encode_video(imgs).requires_grad
    del trunk.embed, trunk.block
    return seen
