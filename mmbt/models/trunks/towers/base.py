"""One view of every library's vision tower: the same calls, the same names for its weights."""
from abc import ABCMeta, abstractmethod
from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn


class Tower(metaclass=ABCMeta):
    """How to read a vision tower of some library. It owns no weights and is no module.

    The names of :meth:`stem_state`, :meth:`block_state` and :meth:`head_state` are the same for
    every library, and those of a block are a :class:`~mmbt.models.blocks.SpatialBlock`'s.

    Args:
        visual: The library's module; the view follows its moves between devices and types.

    Attributes:
        width (int): Channels D of a token.
        embed_dim (int | None): Channels E of the joint space, None where it has no projection.
        num_layers (int): Number of layers.
        num_heads (int): Attention heads of a layer.
        num_patches (int): Patch positions N of a frame.
        image_size (tuple): Height and width of a frame in pixels.
        activation (str): ``'gelu'`` or ``'quick_gelu'``.
        eps (float): Epsilon of the layer norms.
    """

    width: int
    embed_dim: Optional[int]
    num_layers: int
    num_heads: int
    num_patches: int
    image_size: Tuple[int, int]
    activation: str
    eps: float

    def __init__(self, visual: nn.Module) -> None:
        self.visual = visual

    @abstractmethod
    def embed(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) normalised images -> (M, 1 + N, D), the input of the first layer."""

    @abstractmethod
    def block(self, index: int, tokens: Tensor) -> Tensor:
        """Run layer ``index`` (0-based) on (M, 1 + N, D)."""

    @abstractmethod
    def norm(self, tokens: Tensor) -> Tensor:
        """The layer norm before the projection, (..., D) -> (..., D)."""

    def proj(self, tokens: Tensor) -> Tensor:
        """W_v-proj into the joint space, (..., D) -> (..., E).

        Raises:
            ValueError: If the tower has none.
        """
        raise ValueError('the vision tower has no projection into a joint space')

    @property
    @abstractmethod
    def position_embedding(self) -> Tensor:
        """(1 + N, D), the CLS's first."""

    @abstractmethod
    def stem_state(self) -> Dict[str, Tensor]:
        """``patch_embedding.*``, ``cls_token`` (D), ``position_embedding``, ``pre_norm.*``."""

    @abstractmethod
    def block_state(self, index: int) -> Dict[str, Tensor]:
        """The weights of layer ``index`` under a SpatialBlock's names."""

    @abstractmethod
    def head_state(self) -> Dict[str, Tensor]:
        """``norm.*`` and, where there is one, ``proj.*``; ``proj.weight`` is (E, D)."""


def named(prefix: str, module: nn.Module) -> Dict[str, Tensor]:
    """The weights of a module with a weight and perhaps a bias, as ``prefix.weight``, ``.bias``."""
    return {f'{prefix}.{key}': value for key, value in module.named_parameters(recurse=False)}


def fused_qkv(query: Tensor, value: Tensor, key: Optional[Tensor] = None) -> Tensor:
    """One bias of query, key and value; EVA's keys have none, which is zero."""
    parts: List[Tensor] = [query, torch.zeros_like(query) if key is None else key, value]
    return torch.cat(parts)
