"""CLIP's vision transformer as transformers has it, also inside LLaVA."""
from typing import Dict

from torch import Tensor, nn

from .base import fused_qkv, named
from .hf_base import HFTower


class HFCLIP(HFTower):
    """View of ``CLIPVisionTransformer``, from transformers 5 on called ``CLIPVisionModel``.

    Its queries, keys and values are three layers; those of a
    :class:`~mmbt.models.blocks.SpatialBlock` are one.
    """

    def embed(self, images: Tensor) -> Tensor:
        return self.transformer.pre_layrnorm(super().embed(images))

    @property
    def position_embedding(self) -> Tensor:
        return self.transformer.embeddings.position_embedding.weight

    def stem_state(self) -> Dict[str, Tensor]:
        embeddings = self.transformer.embeddings
        return {
            'cls_token': embeddings.class_embedding,
            'position_embedding': self.position_embedding,
            **named('patch_embedding', embeddings.patch_embedding),
            **named('pre_norm', self.transformer.pre_layrnorm),
        }

    def attention_state(self, attention: nn.Module) -> Dict[str, Tensor]:
        query, key, value = attention.q_proj, attention.k_proj, attention.v_proj
        return {
            'attn.qkv.weight': fused_qkv(query.weight, value.weight, key.weight),
            'attn.qkv.bias': fused_qkv(query.bias, value.bias, key.bias),
            **named('attn.proj', attention.out_proj),
        }
