"""CLIP's own layers, one token at a time, for backbones that act inside it.

A clip is a list of frames, a frame a list of tokens (D,), its CLS the first.
"""
from types import SimpleNamespace

import torch

from mmbt.models.structures import VideoEncoding

from .slow_paper import attention, feed_forward, layer_norm


def slow_start(visual, images):
    """V(0) of each frame by open_clip's own embedding."""
    return [list(visual._embeds(image[None])[0]) for image in images]


def slow_attention(layer, sequence):
    """The attention of one layer of open_clip; all tokens of the list attend to each other."""
    attn = SimpleNamespace(
        qkv=SimpleNamespace(weight=layer.attn.in_proj_weight, bias=layer.attn.in_proj_bias),
        proj=layer.attn.out_proj, num_heads=layer.attn.num_heads)
    updates = attention([layer_norm(x, layer.ln_1) for x in sequence], attn)
    return [x + u for x, u in zip(sequence, updates)]


def slow_mlp(layer, sequence):
    """The MLP of one layer of open_clip, token by token."""
    mlp = SimpleNamespace(norm2=layer.ln_2, fc1=layer.mlp.c_fc, fc2=layer.mlp.c_proj)
    return [feed_forward(x, mlp) for x in sequence]


def slow_layer(layer, sequence):
    """One whole layer of open_clip."""
    return slow_mlp(layer, slow_attention(layer, sequence))


def past_cls(act, clip):
    """``act`` on the patch tokens [frame][position]; each frame's CLS goes past it."""
    return [[frame[0], *moved] for frame, moved in zip(clip, act([frame[1:] for frame in clip]))]


def slow_end(visual, clip):
    """The encoding of a clip whose last layer this is."""
    video = sum(layer_norm(frame[0], visual.ln_post) @ visual.proj for frame in clip)
    return VideoEncoding(
        video=video / len(clip),
        clip_tokens=torch.stack([torch.stack(frame[1:]) for frame in clip]),
        clip_cls=torch.stack([frame[0] for frame in clip]))


def two_rows_at_four_frames(rows):
    """Two rows of a time embedding read at four frames: 0, 1/3, 2/3 and 1 of the way."""
    first, last = rows
    return [(1 - w) * first + w * last for w in (0, 1 / 3, 2 / 3, 1)]
