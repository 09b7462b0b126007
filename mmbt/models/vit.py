"""One vision transformer for every image-text model, made of the layer that the branch has too.

What the families differ in are options, all off in a plain CLIP. Names of weights are the same
whatever library they come from; :mod:`mmbt.models.families.names` has the libraries'.

https://arxiv.org/abs/2010.11929
"""
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layer import ACTIVATIONS, Block, norm_or_not
from .rotary import Rotary


@dataclass(frozen=True)
class ViTOptions:
    """What a vision transformer is made of. What is not said is a plain CLIP's.

    Attributes:
        width: Channels D of a token.
        num_layers: Layers L.
        num_heads: Attention heads of a layer.
        mlp_width: Hidden channels H of a layer's feed-forward network.
        image_size: Height and width of a frame in pixels.
        patch_size: Height and width of a patch in pixels.
        embed_dim: Channels E of the joint space; None without a projection.
        activation: A name of :data:`mmbt.models.layer.ACTIVATIONS`.
        eps: Epsilon of the layer norms.
        patch_bias: Whether the patch embedding has a bias.
        class_token: Whether a CLS token stands before the patches.
        registers: Further learned tokens, between the CLS and the patches, without a position.
        positions: What has a learned position: ``'frame'``, the CLS and the patches; ``'patches'``
            alone; None for nothing.
        rotary: Positions that turn queries and keys in each layer.
        pre_norm: Whether a layer norm stands before the first layer.
        post_norm: Whether a layer normalises its updates, not what they are made from.
        qkv_bias: Whether queries, keys and values have a bias. Keys of EVA have none, which is
            zero: a bias of the keys adds the same to all scores of a query.
        qk_norm: Whether queries and keys are normalised, head by head.
        attn_norm: Whether a layer norm stands before the attention's output layer.
        mlp_norm: Whether a layer norm stands before the feed-forward network's last layer.
        gated: Whether the feed-forward network multiplies an activated half by another (SwiGLU).
        layer_scale: Whether each update is scaled channel by channel.
        pooling: What is projected into the joint space: ``'cls'``, ``'mean'`` of the patches, or
            ``'attention'``, what a learned query reads.
        pool_heads: Heads of that attention. None: as in a layer.
        pool_mlp_width: Hidden channels behind it. None: as in a layer.
        proj_bias: Whether the projection has a bias.
        drop_path: Stochastic depth of the last layer in training, linear from 0 at the first.
    """

    width: int
    num_layers: int
    num_heads: int
    mlp_width: int
    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    embed_dim: int | None = None
    activation: str = 'gelu'
    eps: float = 1e-5
    patch_bias: bool = False
    class_token: bool = True
    registers: int = 0
    positions: str | None = 'frame'
    rotary: Rotary | None = None
    pre_norm: bool = True
    post_norm: bool = False
    qkv_bias: bool = True
    qk_norm: bool = False
    attn_norm: bool = False
    mlp_norm: bool = False
    gated: bool = False
    layer_scale: bool = False
    pooling: str = 'cls'
    pool_heads: int | None = None
    pool_mlp_width: int | None = None
    proj_bias: bool = False
    drop_path: float = 0.

    @property
    def grid(self) -> tuple[int, int]:
        """Patches of a frame, down and across."""
        (height, width), (down, across) = self.image_size, self.patch_size
        return height // down, width // across

    @property
    def num_patches(self) -> int:
        """Patch positions N of a frame."""
        return self.grid[0] * self.grid[1]

    @property
    def num_prefix(self) -> int:
        """Tokens P before the patches."""
        return int(self.class_token) + self.registers

    def layer(self) -> dict[str, Any]:
        """Arguments of a :class:`Block`, but for its stochastic depth."""
        names = ('width', 'num_heads', 'mlp_width', 'activation', 'eps', 'post_norm', 'qkv_bias',
                 'qk_norm', 'attn_norm', 'mlp_norm', 'gated', 'layer_scale')
        return {name: getattr(self, name) for name in names}


class AttentionPool(nn.Module):
    """What one learned query reads of all tokens, and a feed-forward network behind it (SigLIP).

    Args:
        width: Channels D.
        num_heads: Attention heads.
        mlp_width: Hidden channels of the feed-forward network.
        activation, eps: As in :class:`ViTOptions`.
    """

    def __init__(self, width: int, num_heads: int, mlp_width: int, activation: str,
                 eps: float) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.act = ACTIVATIONS[activation]
        self.query = nn.Parameter(width**-0.5 * torch.randn(width))
        self.q, self.kv = nn.Linear(width, width), nn.Linear(width, 2 * width)
        self.proj, self.norm = nn.Linear(width, width), nn.LayerNorm(width, eps=eps)
        self.fc1, self.fc2 = nn.Linear(width, mlp_width), nn.Linear(mlp_width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(M, L, D) -> (M, D)."""
        size = self.query.shape[0] // self.num_heads
        query = self.q(self.query).view(self.num_heads, 1, size).expand(len(tokens), -1, -1, -1)
        key, value = self.kv(tokens).unflatten(-1, (2, self.num_heads, size)).unbind(2)
        read = F.scaled_dot_product_attention(query, key.transpose(1, 2), value.transpose(1, 2))
        pooled = self.proj(read.flatten(1))
        return pooled + self.fc2(self.act(self.fc1(self.norm(pooled))))


class VisionTransformer(nn.Module):
    """A vision transformer, from frames to the joint space.

    ::

        (M, 3, H, W) - embed - [CLS, registers, patches] + positions (M, P + N, D) - V(0)
        V(0) - block 0 - V(1) - ... - block L - 1 - V(L) - norm, pooling, proj - (M, E)

    Args:
        options: What it is made of.

    Raises:
        ValueError: If an option is unknown, or options do not go together.
    """

    def __init__(self, options: ViTOptions) -> None:
        super().__init__()
        check_options(options)
        self.options = options
        width, rate = options.width, options.drop_path / max(options.num_layers - 1, 1)
        rows = options.num_patches + int(options.positions == 'frame' and options.class_token)
        self.cls_token = learned(width) if options.class_token else None
        self.registers = learned(options.registers, width) if options.registers else None
        self.position_embedding = learned(rows, width) if options.positions else None
        # The joint space first: the order of open_clip's parameters, which optimizers' states have
        self.proj = nn.Identity() if options.embed_dim is None else \
            nn.Linear(width, options.embed_dim, bias=options.proj_bias)
        self.patch_embedding = nn.Conv2d(3, width, options.patch_size, options.patch_size,
                                         bias=options.patch_bias)
        self.pre_norm = norm_or_not(options.pre_norm, width, options.eps)
        self.blocks = nn.ModuleList(
            Block(**options.layer(), drop_path=rate * i, mlp_drop_path=rate * i)
            for i in range(options.num_layers))
        self.norm = nn.LayerNorm(width, eps=options.eps)
        self.pool = nn.Identity() if options.pooling != 'attention' else AttentionPool(
            width, options.pool_heads or options.num_heads,
            options.pool_mlp_width or options.mlp_width, options.activation, options.eps)
        self.register_buffer('rotary', self._rotary(), persistent=False)

    def _rotary(self) -> Tensor | None:
        options = self.options
        if options.rotary is None:
            return None
        return options.rotary.table(options.grid, options.width // options.num_heads,
                                    options.num_prefix)

    @classmethod
    def from_state(cls, options: ViTOptions, state: Mapping[str, Tensor],
                   translate: Callable[..., Mapping[str, Tensor]] | None = None) -> \
            'VisionTransformer':
        """A transformer whose weights are these tensors themselves, in their types.

        Args:
            options: What it is made of.
            state: All its weights.
            translate: Makes them, from the names here and a state with a library's, see
                :meth:`mmbt.models.families.names.Names.translate`. None: ``state`` has the names
                here.

        Raises:
            RuntimeError: If a weight is missing, unknown or of another shape.
        """
        with torch.device('meta'):
            made = cls(options)
        if translate is not None:
            state = translate(made.state_dict(), state)
        made.load_state_dict(state, assign=True)
        made.rotary = made._rotary()
        return made

    def embed(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) normalised images -> (M, P + N, D), V(0), the input of the first layer."""
        patches = self.patch_embedding(images.to(self.patch_embedding.weight.dtype))
        tokens = patches.flatten(2).transpose(1, 2)
        first = [] if self.cls_token is None else [self.cls_token[None]]
        if self.position_embedding is not None:
            rows = self.position_embedding
            tokens = tokens + rows[-tokens.shape[1]:].to(tokens.dtype)
            first = [cls + rows[:1] for cls in first] if len(rows) > tokens.shape[1] else first
        first += [] if self.registers is None else [self.registers]
        if first:
            prefix = torch.cat(first).to(tokens.dtype).expand(len(images), -1, -1)
            tokens = torch.cat([prefix, tokens], dim=1)
        return self.pre_norm(tokens).to(tokens.dtype)

    def block(self, index: int, tokens: Tensor) -> Tensor:
        """Run layer ``index`` (0-based) on (M, P + N, D)."""
        return self.blocks[index](tokens, self.rotary)

    def pooled(self, tokens: Tensor) -> Tensor:
        """V(L), (M, P + N, D), in the joint space, (M, E); (M, D) without one."""
        if self.options.pooling == 'attention':
            return self.proj(self.pool(self.norm(tokens)))
        chosen = tokens[:, self.options.num_prefix:].mean(dim=1) \
            if self.options.pooling == 'mean' else tokens[:, 0]
        return self.proj(self.norm(chosen))

    def forward(self, images: Tensor) -> Tensor:
        """(M, 3, H, W) normalised images -> (M, E)."""
        tokens = self.embed(images)
        for index in range(len(self.blocks)):
            tokens = self.block(index, tokens)
        return self.pooled(tokens)


def check_options(options: ViTOptions) -> None:
    """Refuse options that are unknown or do not go together.

    Raises:
        ValueError: Naming one.
    """
    for name, known in (('positions', ('frame', 'patches', None)),
                        ('pooling', ('cls', 'mean', 'attention'))):
        value = getattr(options, name)
        if value not in known:
            raise ValueError(f'{name} is one of {known}, got {value!r}')
    if options.pooling == 'cls' and not options.class_token:
        raise ValueError("pooling='cls' needs class_token=True")


def learned(*shape: int) -> nn.Parameter:
    """A parameter of (..., D) that starts as noise of length 1."""
    return nn.Parameter(shape[-1]**-0.5 * torch.randn(shape))
