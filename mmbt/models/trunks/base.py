"""The frozen image-text model, seen one way: embed -> blocks -> norm -> proj."""
import contextlib
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass
from typing import Iterable, List, Optional

import torch
from torch import Tensor, nn

from ..blocks import SpatialBlock
from ..text import TextTower


@dataclass
class FrameTokens:
    """One layer's tokens of every frame.

    Attributes:
        cls: (B, T, D), each frame's CLS token.
        patches: (B, T, N, D), each frame's patch tokens.
    """

    cls: Tensor
    patches: Tensor


class Trunk(nn.Module, metaclass=ABCMeta):
    """The vision tower of an image-text model, with its text tower where there is one.

    A frozen trunk asks for no gradient, runs under ``no_grad`` and stays in eval mode whatever
    ``train()`` is called with. ``norm`` and ``proj`` let gradients pass to their input, since the
    branch's output goes through them (Eq. 5).

    Attributes:
        frozen (bool): Whether the towers are frozen.
        width (int): Channels D of a token.
        embed_dim (int): Channels E of the joint space.
        num_layers (int): Number of layers L.
        num_patches (int): Patch positions N of a frame.
        num_heads (int): Attention heads of a layer.
        image_size (tuple): Height and width of a frame in pixels.
        eps (float): Epsilon of the layer norms.
        text (TextTower | None): The text tower.
    """

    frozen: bool
    width: int
    embed_dim: int
    num_layers: int
    num_patches: int
    num_heads: int
    image_size: tuple
    eps: float
    text: Optional[TextTower]

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) normalised images -> (M, 1 + N, D), V(0), the input of the first layer."""

    @abstractmethod
    def block(self, index: int, tokens: Tensor) -> Tensor:
        """Run layer ``index`` (0-based) on (M, 1 + N, D)."""

    @abstractmethod
    def norm(self, tokens: Tensor) -> Tensor:
        """The layer norm before the projection, (..., D) -> (..., D)."""

    @abstractmethod
    def proj(self, tokens: Tensor) -> Tensor:
        """W_v-proj into the joint space, (..., D) -> (..., E)."""

    @property
    @abstractmethod
    def position_embedding(self) -> Tensor:
        """(1 + N, D), CLIP's spatial position embedding P^s, the CLS's first."""

    @abstractmethod
    def spatial_block(self, index: int, drop_path: float = 0.) -> SpatialBlock:
        """A trainable copy of layer ``index`` (0-based) as a block of the branch."""

    def freeze(self, frozen: bool) -> None:
        """Freeze both towers, or open them to training."""
        self.frozen = frozen
        self.requires_grad_(not frozen)
        self.train(not frozen)

    def train(self, mode: bool = True) -> 'Trunk':
        return super().train(mode and not self.frozen)

    def hidden_states(self, imgs: Tensor, layers: Iterable[int]) -> List[FrameTokens]:
        """Run the frames and keep the outputs of the layers asked for, no others.

        Args:
            imgs: (B, T, 3, H, W) normalised frames.
            layers: Increasing layer numbers in 0..L; 0 is V(0), l is the output of layer l.

        Returns:
            The tokens of each such layer, in the order of ``layers``.

        Raises:
            ValueError: If the frames have not the trunk's image size.
        """
        self.check_frames(imgs)
        batch, frames = imgs.shape[:2]
        wanted = list(layers)
        assert wanted == sorted(set(wanted)) and 0 <= wanted[0] and wanted[-1] <= self.num_layers
        kept = []
        with torch.no_grad() if self.frozen else contextlib.nullcontext():
            tokens = self.embed(imgs.flatten(0, 1))
            for layer in range(wanted[-1] + 1):
                if layer > 0:
                    tokens = self.block(layer - 1, tokens)
                if layer in wanted:
                    states = tokens.unflatten(0, (batch, frames))
                    kept.append(FrameTokens(states[:, :, 0], states[:, :, 1:]))
        return kept

    def check_frames(self, imgs: Tensor) -> None:
        """Refuse anything but (B, T, 3, H, W) of the trunk's image size."""
        if imgs.ndim != 5 or imgs.shape[2] != 3 or tuple(imgs.shape[3:]) != self.image_size:
            height, width = self.image_size
            raise ValueError(f'the trunk takes frames of (B, T, 3, {height}, {width}), got '
                             f'{tuple(imgs.shape)}; resize or crop in the pipeline')
