"""Floating-point operations of a step, from shapes alone.

A multiply-add counts as two. Matrix products are counted, attention's two and the patch embedding
among them; layer norms, softmax, activations, gates, gathers, look-ups, normalisation of frames and
the optimizer's arithmetic are not. They are all linear in the number of tokens or weights.

The letters: B clips, T frames, N patches of a frame, V visible ones, D channels of the trunk, H
hidden channels of its feed-forward network, L layers, K branch layers, E channels of the joint
space.
"""
from dataclasses import dataclass

import torch
from open_clip.transformer import TextTransformer

from mmbt.models import OpenCLIPTrunk
from mmbt.models.masks import TubeMask


@dataclass(frozen=True)
class Sizes:
    """The numbers of an image-text model that its products depend on.

    Attributes:
        width: D.
        mlp_width: H.
        layers: L.
        patches: N.
        patch_values: Values of a patch, 3 P^2.
        embed_dim: E.
        text_width: Channels of the text transformer.
        text_mlp_width: Hidden channels of its feed-forward network.
        text_layers: Its layers.
        context: Tokens that it always runs on, whatever the captions' length.
    """

    width: int
    mlp_width: int
    layers: int
    patches: int
    patch_values: int
    embed_dim: int
    text_width: int
    text_mlp_width: int
    text_layers: int
    context: int


def model_sizes(arch: str | dict) -> Sizes:
    """The sizes of an architecture, built without memory for its weights.

    Args:
        arch: As in :class:`~mmbt.models.OpenCLIPTrunk`.

    Raises:
        ValueError: If the architecture is unknown, no branch can stand beside it, or its text
            tower is not open_clip's.
    """
    with torch.device('meta'):
        trunk = OpenCLIPTrunk(arch)
    text = trunk.text.transformer
    if not isinstance(text, TextTransformer) or text.cls_emb is not None:
        raise ValueError(f"arch {arch!r}: products are counted for open_clip's text transformer "
                         'without a CLS token alone')
    assert trunk.embed_dim is not None, 'a whole CLIP has its projection'
    options = trunk.visual.options
    return Sizes(
        width=trunk.width,
        mlp_width=options.mlp_width,
        layers=trunk.num_layers,
        patches=trunk.num_patches,
        patch_values=3 * options.patch_size[0] * options.patch_size[1],
        embed_dim=trunk.embed_dim,
        text_width=text.width,
        text_mlp_width=text.transformer.resblocks[0].mlp.c_fc.out_features,
        text_layers=len(text.transformer.resblocks),
        context=text.context_length)


def num_visible(patches: int, mask_ratio: float) -> int:
    """V, the patch positions that :class:`~mmbt.models.masks.TubeMask` leaves."""
    return TubeMask(mask_ratio).num_visible(patches)


def product(rows: int, inner: int, columns: int) -> int:
    """(rows, inner) x (inner, columns)."""
    return 2 * rows * inner * columns


def attention(sequences: int, length: int, width: int) -> int:
    """Queries x keys and weights x values of all heads, (S, l, D) each: 2 x 2 S l^2 D."""
    return 2 * product(sequences * length, width, length)


def layer(sequences: int, length: int, width: int, hidden: int) -> int:
    """A transformer layer on (S, l, D): D x 3D, attention, D x D, D x H, H x D."""
    rows = sequences * length
    return product(rows, width, 4 * width) + attention(sequences, length, width) + \
        2 * product(rows, width, hidden)


def trunk_forward(sizes: Sizes, batch: int, frames: int) -> int:
    """The frozen trunk on all frames: the patch embedding, and L layers on (B T, 1 + N, D).

    All patches, whatever the mask. It has no backward: its weights are frozen and its input is
    pictures.
    """
    images = batch * frames
    return product(images * sizes.patches, sizes.patch_values, sizes.width) + \
        sizes.layers * layer(images, 1 + sizes.patches, sizes.width, sizes.mlp_width)


def temporal_forward(sizes: Sizes, batch: int, frames: int, visible: int) -> int:
    """A temporal block: B V tubes of T tokens; D x 3D, attention over T, D x D, W_t D x D."""
    width, tubes = sizes.width, batch * visible
    return product(tubes * frames, width, 5 * width) + attention(tubes, frames, width)


def spatial_forward(sizes: Sizes, batch: int, frames: int, visible: int) -> int:
    """A spatial block: B T sequences of CLS and V patches; the CLS has one feed-forward a clip.

    Attention runs on B T (1 + V) tokens, feed-forward on B T V + B.
    """
    width, sequences = sizes.width, batch * frames
    mixed = product(sequences * (1 + visible), width, 4 * width) + \
        attention(sequences, 1 + visible, width)
    return mixed + 2 * product(sequences * visible + batch, width, sizes.mlp_width)


def branch_forward(sizes: Sizes, batch: int, frames: int, visible: int, layers: int) -> int:
    """K temporal and K spatial blocks on the visible tokens.

    The backward is twice as much: every product has a gradient for its weight (or its second
    factor) and one for its input. The first layer's input needs one too, since the time embedding
    is learned. CLIP's states need none, and reach the branch through sums and gates, which have no
    product.
    """
    return layers * (temporal_forward(sizes, batch, frames, visible) +
                     spatial_forward(sizes, batch, frames, visible))


def text_forward(sizes: Sizes, batch: int) -> int:
    """The frozen text tower on (B, context, D_text) and its projection of one token a caption.

    Captions of any length are padded to the context. No backward.
    """
    return sizes.text_layers * layer(batch, sizes.context, sizes.text_width,
                                     sizes.text_mlp_width) + \
        product(batch, sizes.text_width, sizes.embed_dim)


def video_proj(sizes: Sizes, batch: int, frames: int, variant: str) -> int:
    """The frozen projection D x E of the video CLS, which the released branch has a frame."""
    return product(batch * (frames if variant == 'released' else 1), sizes.width, sizes.embed_dim)


def heads_flops(sizes: Sizes, batch: int, frames: int, visible: int, variant: str) -> dict:
    """The video's projection and the three objectives, forward and backward.

    ========================================  ==========================  ========
    product                                   shapes                      backward
    ========================================  ==========================  ========
    video CLS, frozen projection              (B, D) x (D, E)             1x
    MBTA, the branch's tokens, trained W'     (B T V, D) x (D, E)         2x
    MBTA, CLIP's tokens, frozen projection    (B T V, D) x (D, E)         none
    MBCA, mean token, frozen projection       (B, D) x (D, E)             1x
    VTC and MBCA, two directions each         4 of (B, E) x (E, B)        1x
    ========================================  ==========================  ========

    Frozen factors pass a gradient to their input only: once the forward. So do the text features
    in the similarities. CLIP's tokens need no gradient at all. The similarities are those of one
    process.
    """
    tokens = product(batch * frames * visible, sizes.width, sizes.embed_dim)
    once = video_proj(sizes, batch, frames, variant) + \
        product(batch, sizes.width, sizes.embed_dim) + 4 * product(batch, sizes.embed_dim, batch)
    return dict(heads_forward=once + 2 * tokens, heads_backward=once + 2 * tokens)


def step_flops(sizes: Sizes,
               batch: int = 1,
               frames: int = 8,
               mask_ratio: float = 0.7,
               layers: int = 4,
               variant: str = 'paper',
               train: bool = True) -> dict[str, int]:
    """Operations of a training step, or of ``encode_video``, by part.

    Args:
        sizes: Of the image-text model, see :func:`model_sizes`.
        batch: Clips B.
        frames: Frames T of a clip.
        mask_ratio: Share of patches that the branch does not see.
        layers: Layers K of the branch.
        variant: ``'paper'`` or ``'released'``.
        train: Whether a training step with the three objectives is meant. ``encode_video`` has
            neither text, objectives, backward nor mask; ``mask_ratio`` then is not read.

    Returns:
        Operations of ``trunk_forward``, ``branch_forward``, ``branch_backward``,
        ``text_forward``, ``heads_forward`` (with the video's projection), ``heads_backward``, and
        their sum as ``total``.
    """
    visible = num_visible(sizes.patches, mask_ratio) if train else sizes.patches
    branch = branch_forward(sizes, batch, frames, visible, layers)
    parts = dict(
        trunk_forward=trunk_forward(sizes, batch, frames),
        branch_forward=branch,
        branch_backward=2 * branch if train else 0,
        text_forward=text_forward(sizes, batch) if train else 0,
        heads_forward=video_proj(sizes, batch, frames, variant),
        heads_backward=0)
    if train:
        parts.update(heads_flops(sizes, batch, frames, visible, variant))
    return dict(parts, total=sum(parts.values()))
