"""Image-text models of open_clip as trunks: OpenAI's CLIP, LAION's, and their like."""
from typing import Dict, Optional, Union

import torch
from mmaction.registry import MODELS
from open_clip.model import CustomTextCLIP
from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from ..blocks import SpatialBlock
from ..text import TextTower
from .base import Trunk
from .weights import architecture, find_weights, load_weights


@MODELS.register_module()
class OpenCLIPTrunk(Trunk):
    """A vision transformer of open_clip with its text tower.

    Args:
        arch: An open_clip name such as ``'ViT-L-14-quickgelu'``, or an architecture dict with
            ``embed_dim``, ``vision_cfg``, ``text_cfg`` and, for OpenAI's activation,
            ``quick_gelu``.
        pretrained: An open_clip tag such as ``'openai'`` (fetched once, then cached), a local
            file (open_clip's formats or a checkpoint of this project), or None for random
            weights.
        frozen: Whether both towers are frozen. Defaults to True.

    Raises:
        ValueError: If the architecture is unknown, is not a plain vision transformer with a CLS
            token, or the weights are of another architecture.
        FileNotFoundError: If the weights are neither here nor to be had.
    """

    def __init__(self,
                 arch: Union[str, Dict],
                 pretrained: Optional[str] = None,
                 frozen: bool = True) -> None:
        super().__init__()
        config = architecture(arch, pretrained)
        path = None if pretrained is None else find_weights(arch, pretrained)
        model = CustomTextCLIP(**config)
        if path is not None:
            load_weights(model, arch, path)
        check_vision_tower(model.visual, arch)
        self.visual: VisionTransformer = model.visual
        self.text = TextTower(model.text, frozen)
        self.width = self.visual.ln_post.weight.shape[0]
        self.embed_dim = self.visual.proj.shape[1]
        self.num_layers = len(self.visual.transformer.resblocks)
        self.num_patches = self.visual.grid_size[0] * self.visual.grid_size[1]
        self.num_heads = self.visual.transformer.resblocks[0].attn.num_heads
        self.image_size = tuple(self.visual.image_size)
        self.eps = self.visual.ln_post.eps
        self.freeze(frozen)

    def embed(self, images: Tensor) -> Tensor:
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(len(images), 1, -1)
        tokens = torch.cat([cls, patches], dim=1)
        return visual.ln_pre(tokens + visual.positional_embedding.to(tokens.dtype))

    def block(self, index: int, tokens: Tensor) -> Tensor:
        return self.visual.transformer.resblocks[index](tokens)

    def norm(self, tokens: Tensor) -> Tensor:
        return self.visual.ln_post(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        return tokens @ self.visual.proj

    @property
    def position_embedding(self) -> Tensor:
        return self.visual.positional_embedding

    def spatial_block(self, index: int, drop_path: float = 0.) -> SpatialBlock:
        block: ResidualAttentionBlock = self.visual.transformer.resblocks[index]
        quick = isinstance(block.mlp.gelu, QuickGELU)
        copy = SpatialBlock(
            self.width,
            self.num_heads,
            mlp_width=block.mlp.c_fc.out_features,
            activation='quick_gelu' if quick else 'gelu',
            eps=block.ln_1.eps,
            drop_path=drop_path)
        copy.load_state_dict(canonical_block(block.state_dict()))
        return copy


# A SpatialBlock's names, under which branch weights are saved, and what open_clip calls them.
CANONICAL_NAMES = {
    'norm1.weight': 'ln_1.weight',
    'norm1.bias': 'ln_1.bias',
    'attn.qkv.weight': 'attn.in_proj_weight',
    'attn.qkv.bias': 'attn.in_proj_bias',
    'attn.proj.weight': 'attn.out_proj.weight',
    'attn.proj.bias': 'attn.out_proj.bias',
    'norm2.weight': 'ln_2.weight',
    'norm2.bias': 'ln_2.bias',
    'fc1.weight': 'mlp.c_fc.weight',
    'fc1.bias': 'mlp.c_fc.bias',
    'fc2.weight': 'mlp.c_proj.weight',
    'fc2.bias': 'mlp.c_proj.bias',
}


def canonical_block(state: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """The weights of one open_clip layer under a SpatialBlock's names."""
    return {ours: state[theirs] for ours, theirs in CANONICAL_NAMES.items()}


def check_vision_tower(visual: nn.Module, arch: Union[str, Dict]) -> None:
    """Refuse vision towers that the branch cannot stand beside."""
    plain = isinstance(visual, VisionTransformer) and visual.attn_pool is None and \
        visual.pool_type == 'tok' and not visual.final_ln_after_pool and \
        isinstance(visual.patch_dropout, nn.Identity) and \
        all(type(block) is ResidualAttentionBlock and isinstance(block.ls_1, nn.Identity)
            for block in visual.transformer.resblocks)
    if not plain:
        raise ValueError(f'the vision tower of {arch!r} is not a plain vision transformer with a '
                         'CLS token; take a ViT architecture of open_clip')
