"""CLIP's own layers, one token at a time, for backbones that act inside it.

A clip is a list of frames, a frame a list of tokens (D,), its CLS the first.
"""
import torch

from mmbt.models.structures import VideoEncoding

from .slow_paper import clip_start, layer_norm


def slow_start(visual, images):
    """V(0) of each frame."""
    return [clip_start(visual, image) for image in images]


def past_cls(act, clip):
    """``act`` on the patch tokens [frame][position]; each frame's CLS goes past it."""
    return [[frame[0], *moved] for frame, moved in zip(clip, act([frame[1:] for frame in clip]))]


def slow_end(visual, clip):
    """The encoding of a clip whose last layer this is."""
    video = sum(layer_norm(frame[0], visual.norm) @ visual.proj.weight.T for frame in clip)
    return VideoEncoding(
        video=video / len(clip),
        clip_tokens=torch.stack([torch.stack(frame[1:]) for frame in clip]),
        clip_cls=torch.stack([frame[0] for frame in clip]))


def two_rows_at_four_frames(rows):
    """Two rows of a time embedding read at four frames: 0, 1/3, 2/3 and 1 of the way."""
    first, last = rows
    return [(1 - w) * first + w * last for w in (0, 1 / 3, 2 / 3, 1)]
