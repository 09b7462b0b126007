"""What the vision models of transformers have in common, whatever its version."""
import inspect
from abc import abstractmethod
from typing import Dict, Optional

from torch import Tensor, nn

from ...blocks import ACTIVATIONS
from .base import Tower, named


class HFVision(nn.Module):
    """A vision transformer of transformers, and its projection where there is one.

    transformers wraps them differently from version to version; checkpoints see these names.

    Args:
        transformer: The module with ``embeddings``, ``encoder`` and ``post_layernorm``.
        projection: The linear layer into the joint space.
    """

    def __init__(self, transformer: nn.Module, projection: Optional[nn.Linear] = None) -> None:
        super().__init__()
        self.transformer = transformer
        self.projection = projection


class HFTower(Tower):
    """View of a vision transformer of transformers.

    Args:
        visual: The transformer and its projection.

    Raises:
        ValueError: If the branch has no layer with its activation.
    """

    visual: HFVision

    def __init__(self, visual: HFVision) -> None:
        super().__init__(visual)
        transformer = visual.transformer
        config = transformer.config
        if config.hidden_act not in ACTIVATIONS:
            raise ValueError(f'the vision tower has the activation {config.hidden_act!r}; the '
                             f"branch knows {', '.join(sorted(ACTIVATIONS))}")
        first = transformer.encoder.layers[0]
        self.width = config.hidden_size
        projection = visual.projection
        self.embed_dim = None if projection is None else projection.out_features
        self.num_layers = len(transformer.encoder.layers)
        self.num_heads = config.num_attention_heads
        self.num_patches = transformer.embeddings.num_patches
        self.image_size = (config.image_size, config.image_size)
        self.activation = config.hidden_act
        self.eps = first.layer_norm1.eps
        self.masks = [None] * positional_masks(first)

    @property
    def transformer(self) -> nn.Module:
        """The model of transformers."""
        return self.visual.transformer

    def embed(self, images: Tensor) -> Tensor:
        return self.transformer.embeddings(images)

    def block(self, index: int, tokens: Tensor) -> Tensor:
        output = self.transformer.encoder.layers[index](tokens, *self.masks)
        return output[0] if isinstance(output, tuple) else output

    def norm(self, tokens: Tensor) -> Tensor:
        return self.transformer.post_layernorm(tokens)

    def proj(self, tokens: Tensor) -> Tensor:
        if self.visual.projection is None:
            return super().proj(tokens)
        return self.visual.projection(tokens)

    def block_state(self, index: int) -> Dict[str, Tensor]:
        layer = self.transformer.encoder.layers[index]
        return {
            **named('norm1', layer.layer_norm1),
            **self.attention_state(layer.self_attn),
            **named('norm2', layer.layer_norm2),
            **named('fc1', layer.mlp.fc1),
            **named('fc2', layer.mlp.fc2),
        }

    @abstractmethod
    def attention_state(self, attention: nn.Module) -> Dict[str, Tensor]:
        """The weights of a layer's attention under a SpatialBlock's names."""

    def head_state(self) -> Dict[str, Tensor]:
        state = named('norm', self.transformer.post_layernorm)
        if self.visual.projection is not None:
            state.update(named('proj', self.visual.projection))
        return state


def positional_masks(layer: nn.Module) -> int:
    """How many arguments a layer must be given beside its tokens; all of them are masks.

    A layer of CLIP takes one or two by version, one of BLIP-2 one or none.
    """
    parameters = list(inspect.signature(layer.forward).parameters.values())[1:]
    return sum(each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
               for each in parameters)
