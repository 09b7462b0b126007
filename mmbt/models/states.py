"""Tokens of a frozen trunk that were computed before, which stand in the place of frames."""
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .masks import Mask, gather_visible


@dataclass
class FrameTokens:
    """One layer's tokens of every frame.

    Attributes:
        cls: (B, T, D), each frame's CLS token.
        patches: (B, T, N, D), each frame's patch tokens.
    """

    cls: Tensor
    patches: Tensor

    def kept(self, visible: Tensor | None) -> 'FrameTokens':
        """Copies of the visible patches alone, so that the whole layer can be given back."""
        if visible is None:
            return self
        return FrameTokens(self.cls.clone(), gather_visible(self.patches, visible))


@dataclass
class FrozenStates:
    """A batch of clips as a trunk has seen them: what ``hidden_states`` takes instead of frames.

    Attributes:
        layers: Numbers of the layers, increasing; 0 is V(0).
        tokens: Each layer's, (B, T, 1 + N, D), the CLS first; (B, V, T, 1 + N, D) of V views.
        visible: (B, N_vis) or (B, T, N_vis) positions where the others' tokens were left out (N is
            N_vis then); None where all are there.
        mask: Which mask chose them, see :func:`name_of_mask`.
        weights: Of which trunk they are, see :func:`weights_mark`; empty where it was at hand.
    """

    layers: tuple[int, ...]
    tokens: tuple[Tensor, ...]
    visible: Tensor | None = None
    mask: str = ''
    weights: str = ''

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the clips: (B, T), or (B, V, T), and what no frames have."""
        return tuple(self.tokens[0].shape)

    @property
    def ndim(self) -> int:
        """As of frames, whose channels, height and width are one axis more than tokens have."""
        return self.tokens[0].ndim + 1

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.tokens[0].device

    def __len__(self) -> int:
        return len(self.tokens[0])

    def __getitem__(self, clips: slice) -> 'FrozenStates':
        visible = None if self.visible is None else self.visible[clips]
        return replace(self, tokens=tuple(each[clips] for each in self.tokens), visible=visible)

    def to(self, dtype: torch.dtype) -> 'FrozenStates':
        """The same in another precision."""
        return replace(self, tokens=tuple(each.to(dtype) for each in self.tokens))

    def flatten(self, first: int, last: int) -> 'FrozenStates':
        """Views as clips of their own."""
        return replace(self, tokens=tuple(each.flatten(first, last) for each in self.tokens))

    def take(self, trunk: Any, layers: Iterable[int],
             visible: Tensor | None) -> list[FrameTokens]:
        """The layers that are asked for, as ``Trunk.hidden_states`` gives them.

        Raises:
            ValueError: If they are of another trunk or of one that is trained, lack a layer, or
                were kept at other positions than are asked for.
        """
        if not trunk.frozen:
            raise ValueError('frozen states stand for a frozen CLIP, and this one is trained: '
                             'train from frames (states=None)')
        if self.weights and self.weights != trunk.mark:
            raise ValueError('the frozen states are of another CLIP than model.trunk, or of other '
                             'weights: make them anew with mmbt cache, or train from frames '
                             '(states=None)')
        wanted = list(layers)
        lacking = [layer for layer in wanted if layer not in self.layers]
        if lacking:
            raise ValueError(f'the frozen states are of layers {list(self.layers)}, and the '
                             f'backbone reads {wanted}: make them with mmbt cache --layers')
        if self.visible is not None and visible is not self.visible:
            raise ValueError('the frozen states have the visible patches of a training alone: '
                             'make them with all patches (mmbt cache without --visible)')
        kept = None if self.visible is not None else visible
        return [FrameTokens(each[:, :, 0], each[:, :, 1:]).kept(kept)
                for each in (self.tokens[self.layers.index(layer)] for layer in wanted)]

    def mask_of(self, mask: Mask | None) -> Tensor:
        """The positions that were kept.

        Raises:
            ValueError: If another mask than the model's chose them.
        """
        if self.mask != name_of_mask(mask):
            raise ValueError(f'the frozen states were kept under {self.mask}, and model.mask is '
                             f'{name_of_mask(mask)}: make them anew with mmbt cache --visible')
        assert self.visible is not None
        return self.visible


class KeptStates:
    """Frames whose states are kept once a trunk has seen them, for a second pass.

    It goes where frames go; ``shape`` and ``device`` are those of the frames.

    Args:
        imgs: (B, T, 3, H, W) normalised frames.
    """

    def __init__(self, imgs: Tensor) -> None:
        self.imgs = imgs
        self.shape, self.device, self.ndim = imgs.shape, imgs.device, imgs.ndim
        self.states: list[FrameTokens] | None = None

    def take(self, trunk: Any, layers: Iterable[int],
             visible: Tensor | None) -> list[FrameTokens]:
        """What the trunk makes of the frames, which are let go."""
        if self.states is None:
            self.states = trunk.hidden_states(self.imgs, layers, visible)
            del self.imgs
        return self.states


class SharedFrames:
    """Clips that have frames in common, each of which a trunk sees once.

    It goes where frames go; ``shape`` and ``device`` are those of the clips' frames.

    Args:
        frames: (U, 3, H, W) normalised frames, no two alike.
        places: (B, T) int64, which of them a clip has where.
    """

    def __init__(self, frames: Tensor, places: Tensor) -> None:
        self.frames, self.places = frames, places
        self.shape = torch.Size((*places.shape, *frames.shape[1:]))
        self.device, self.ndim = frames.device, len(self.shape)

    def take(self, trunk: Any, layers: Iterable[int],
             visible: Tensor | None) -> list[FrameTokens]:
        """What the trunk makes of the clips."""
        return [FrameTokens(each.cls[0, self.places], each.patches[0, self.places]).kept(visible)
                for each in trunk.hidden_states(self.frames[None], layers)]


def name_of_mask(mask: Mask | None) -> str:
    """What a mask is called in a cache of the patches that it left visible."""
    return 'no mask' if mask is None else f'{type(mask).__name__}(ratio={mask.ratio:g})'


def weights_mark(trunk: Any) -> str:
    """A digest of all that a vision tower's states depend on beside the frames.

    Equal for equal bits alone: weights, activation, mean and standard deviation, precision.
    """
    card = trunk.card
    told = (card.activation, card.mean, card.std, card.image_size, trunk.float8)
    digest = hashlib.sha256(repr(told).encode())
    for name, weight in sorted(trunk.canonical_state().items()):
        digest.update(f'{name} {weight.dtype} {tuple(weight.shape)}'.encode())
        digest.update(weight.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:24]
