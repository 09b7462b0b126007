"""open_clip's own vision transformer: OpenAI's CLIP, LAION's, and their like."""
from typing import Dict

import torch
from open_clip.transformer import QuickGELU, ResidualAttentionBlock, VisionTransformer
from torch import Tensor, nn

from ..layer import attend, feed_forward
from .base import Tower, named

# A SpatialBlock's names, and what open_clip calls them.
BLOCK_NAMES = {
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


class OpenCLIPViT(Tower):
    """View of open_clip's ``VisionTransformer``.

    Raises:
        ValueError: If the branch cannot stand beside it: it pools tokens, drops patches, scales
            layers or has no CLS token.
    """

    visual: VisionTransformer

    def __init__(self, visual: VisionTransformer) -> None:
        super().__init__(visual)
        blocks = visual.transformer.resblocks
        if not is_plain(visual):
            raise ValueError('the vision tower is not a plain vision transformer with a CLS token; '
                             'take a ViT architecture of open_clip, or EVA01-g-14')
        self.width = visual.ln_post.weight.shape[0]
        self.embed_dim = visual.proj.shape[1]
        self.num_layers = len(blocks)
        self.num_heads = blocks[0].attn.num_heads
        self.num_patches = visual.grid_size[0] * visual.grid_size[1]
        self.image_size = tuple(visual.image_size)
        self.activation = 'quick_gelu' if isinstance(blocks[0].mlp.gelu, QuickGELU) else 'gelu'
        self.eps = visual.ln_post.eps

    def embed(self, images: Tensor) -> Tensor:
        visual = self.visual
        patches = visual.conv1(images).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(len(images), 1, -1)
        tokens = torch.cat([cls, patches], dim=1)
        return visual.ln_pre(tokens + visual.positional_embedding.to(tokens.dtype))

    def block(self, index: int, tokens: Tensor) -> Tensor:
        # On a CPU the library's attention is not the fused one: its layers take 4 % longer.
        state = self.block_state(index)
        tokens = attend(tokens, state, self.num_heads, self.eps)
        return feed_forward(tokens, state, self.activation, self.eps)

    def norm(self, tokens: Tensor) -> Tensor:
        return self.visual.ln_post(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        return tokens @ self.visual.proj

    @property
    def position_embedding(self) -> Tensor:
        return self.visual.positional_embedding

    def stem_state(self) -> Dict[str, Tensor]:
        visual = self.visual
        return {
            'cls_token': visual.class_embedding,
            'position_embedding': visual.positional_embedding,
            **named('patch_embedding', visual.conv1),
            **named('pre_norm', visual.ln_pre),
        }

    def block_state(self, index: int) -> Dict[str, Tensor]:
        state = dict(self.visual.transformer.resblocks[index].named_parameters())
        return {ours: state[theirs] for ours, theirs in BLOCK_NAMES.items()}

    def head_state(self) -> Dict[str, Tensor]:
        return {'proj.weight': self.visual.proj.T, **named('norm', self.visual.ln_post)}


def is_plain(visual: VisionTransformer) -> bool:
    """Whether it is the transformer of the CLIP paper, without later additions."""
    return visual.attn_pool is None and visual.pool_type == 'tok' and \
        not visual.final_ln_after_pool and isinstance(visual.patch_dropout, nn.Identity) and \
        all(type(block) is ResidualAttentionBlock and isinstance(block.ls_1, nn.Identity)
            for block in visual.transformer.resblocks)
