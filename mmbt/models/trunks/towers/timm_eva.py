"""EVA-CLIP-g as open_clip has it: timm's ``Eva`` inside open_clip's ``TimmModel``."""
from typing import Dict

import torch
from open_clip.timm_model import TimmModel
from timm.models.eva import Eva, EvaAttention, EvaBlock
from torch import Tensor, nn

from .base import Tower, fused_qkv, named


class TimmEVA(Tower):
    """View of timm's EVA-01, ``EVA01-g-14`` of open_clip.

    Its keys have no bias, its head has one, and there is no layer norm before the first layer.

    Raises:
        ValueError: If the tower is not of this kind: another timm model, or EVA-02 with its rotary
            positions and gated layers.
    """

    visual: TimmModel

    def __init__(self, visual: TimmModel) -> None:
        super().__init__(visual)
        if not is_plain(visual):
            raise ValueError('of timm\'s vision towers the branch can stand beside EVA-01 alone, '
                             'such as EVA01-g-14')
        trunk = self.trunk
        self.width = trunk.embed_dim
        self.embed_dim = trunk.head.out_features
        self.num_layers = len(trunk.blocks)
        self.num_heads = trunk.blocks[0].attn.num_heads
        self.num_patches = trunk.patch_embed.num_patches
        self.image_size = tuple(trunk.patch_embed.img_size)
        self.activation = 'gelu'
        self.eps = trunk.norm.eps

    @property
    def trunk(self) -> Eva:
        """timm's model."""
        return self.visual.trunk

    def embed(self, images: Tensor) -> Tensor:
        patches = self.trunk.patch_embed(images)
        cls = self.trunk.cls_token.to(patches.dtype).expand(len(images), 1, -1)
        tokens = torch.cat([cls, patches], dim=1)
        return tokens + self.trunk.pos_embed.to(tokens.dtype)

    def block(self, index: int, tokens: Tensor) -> Tensor:
        return self.trunk.blocks[index](tokens)

    def norm(self, tokens: Tensor) -> Tensor:
        return self.trunk.norm(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        return self.trunk.head(tokens)

    @property
    def position_embedding(self) -> Tensor:
        return self.trunk.pos_embed[0]

    def stem_state(self) -> Dict[str, Tensor]:
        return {
            'cls_token': self.trunk.cls_token[0, 0],
            'position_embedding': self.trunk.pos_embed[0],
            **named('patch_embedding', self.trunk.patch_embed.proj),
        }

    def block_state(self, index: int) -> Dict[str, Tensor]:
        block = self.trunk.blocks[index]
        return {
            **named('norm1', block.norm1),
            'attn.qkv.weight': block.attn.qkv.weight,
            'attn.qkv.bias': fused_qkv(block.attn.q_bias, block.attn.v_bias),
            **named('attn.proj', block.attn.proj),
            **named('norm2', block.norm2),
            **named('fc1', block.mlp.fc1),
            **named('fc2', block.mlp.fc2),
        }

    def head_state(self) -> Dict[str, Tensor]:
        return {**named('norm', self.trunk.norm), **named('proj', self.trunk.head)}


def is_plain(visual: TimmModel) -> bool:
    """Whether it is EVA-01 with a CLS token and a linear head."""
    trunk = visual.trunk
    return isinstance(trunk, Eva) and isinstance(trunk.head, nn.Linear) and \
        len(visual.head) == 0 and trunk.global_pool == 'token' and trunk.rope is None and \
        trunk.pos_embed is not None and trunk.num_prefix_tokens == 1 and \
        trunk.patch_drop is None and not getattr(trunk, 'no_embed_class', False) and \
        isinstance(trunk.norm_pre, nn.Identity) and isinstance(trunk.fc_norm, nn.Identity) and \
        all(is_plain_block(block) for block in trunk.blocks)


def is_plain_block(block: nn.Module) -> bool:
    """Whether a layer is attention and an MLP with GELU, biased but for the keys."""
    return type(block) is EvaBlock and type(block.attn) is EvaAttention and \
        block.attn.qkv is not None and block.attn.q_bias is not None and \
        block.gamma_1 is None and isinstance(block.attn.norm, nn.Identity) and \
        isinstance(getattr(block.attn, 'q_norm', nn.Identity()), nn.Identity) and \
        getattr(block.attn, 'gate', None) is None and \
        isinstance(getattr(block.mlp, 'act', None), nn.GELU) and \
        isinstance(getattr(block.mlp, 'norm', nn.Identity()), nn.Identity) and \
        isinstance(block.mlp.fc1, nn.Linear)
