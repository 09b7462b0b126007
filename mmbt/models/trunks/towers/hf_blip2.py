"""EVA-CLIP-g as transformers has it: the vision models of BLIP-2 and InstructBLIP."""
from typing import Dict

from torch import Tensor, nn

from .base import named
from .hf_base import HFTower, HFVision


class HFBLIP2(HFTower):
    """View of ``Blip2VisionModel`` and ``InstructBlipVisionModel``.

    No projection, no layer norm before the first layer. ``norm`` is the model's own, which came
    with its Q-Former; it is not EVA-CLIP's.

    Raises:
        ValueError: If its attention has no bias, as EVA's has.
    """

    def __init__(self, visual: HFVision) -> None:
        super().__init__(visual)
        if self.transformer.encoder.layers[0].self_attn.qkv.bias is None:
            raise ValueError("the vision tower's attention has no bias (qkv_bias=False); take an "
                             'EVA as in BLIP-2')

    @property
    def position_embedding(self) -> Tensor:
        return self.transformer.embeddings.position_embedding[0]

    def stem_state(self) -> Dict[str, Tensor]:
        embeddings = self.transformer.embeddings
        return {
            'cls_token': embeddings.class_embedding[0, 0],
            'position_embedding': self.position_embedding,
            **named('patch_embedding', embeddings.patch_embedding),
        }

    def attention_state(self, attention: nn.Module) -> Dict[str, Tensor]:
        return {**named('attn.qkv', attention.qkv), **named('attn.proj', attention.projection)}
