"""LLaVA with a video backbone in the place of CLIP, BT-Adapter-LLaVA of the paper."""
from collections.abc import Sequence
from typing import Any

import transformers
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmbt.models import HuggingFaceTrunk
from mmbt.models.checkpoints.branch_file import load_branch

from .base import VideoDialogue
from .loading import build_backbone, cast, dtype_of, from_pretrained, tokenizer_of
from .templates import Template
from .video_tokens import VideoTokens


@MODELS.register_module()
class LLaVADialogue(VideoDialogue):
    """Conversation by LLaVA, in Hugging Face's form.

    The video backbone stands on LLaVA's own CLIP, up to the layer that LLaVA reads, its last but
    one; the branch stands beside its last layers but the last.

    Args:
        model: A :class:`transformers.LlavaForConditionalGeneration`, or a folder or name on the
            hub of one.
        backbone: Config of the video backbone, without its trunk; ``dict(type='FrameMean')`` is
            LLaVA itself on each frame.
        branch: A branch file, see :func:`mmbt.apis.save_branch`; one of instruction tuning brings
            the projector too. None leaves the branch as built.
        tokenizer: Where ``model`` is a module: its tokenizer. Else the folder's own.
        template: How it is asked. Defaults to LLaVA-1.5's.
        combination: How branch and CLIP are joined, see :class:`VideoTokens`.
        pooling: What is left of T x N tokens, likewise.
        dtype: Precision of the weights, such as ``'float16'``. Defaults to float32, or that of a
            module.
        generation: Defaults for ``generate``.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If the model reads several layers of CLIP, its weights are not whole, or the
            branch does not belong to its CLIP.
    """

    def __init__(self,
                 model: str | nn.Module,
                 backbone: dict,
                 branch: str | None = None,
                 tokenizer: Any = None,
                 template: str | Template = 'llava_v1.5',
                 combination: str = 'weighted',
                 pooling: str = 'time',
                 dtype: str | None = None,
                 generation: dict | None = None) -> None:
        precision = dtype_of(dtype, model)
        folder = model if isinstance(model, str) else None
        if isinstance(model, str):
            tokenizer = tokenizer or tokenizer_of(model)
            model = from_pretrained(transformers.LlavaForConditionalGeneration, model, precision)
        elif tokenizer is None:
            raise ValueError('a model that is a module needs its tokenizer too')
        elif dtype is not None:
            cast(model, precision)
        config = model.config
        trunk = HuggingFaceTrunk(model, drop_last=layers_after(config), folder=folder)
        tokens = VideoTokens(build_backbone(backbone, trunk), combination, pooling,
                             'first' if config.vision_feature_select_strategy == 'full' else None)
        super().__init__(tokens.to(precision), model, tokenizer, template, generation)
        if branch is not None:
            load_branch(self, branch)

    @property
    def projector(self) -> nn.Module:
        """LLaVA's two layers, within the model of transformers."""
        inner = self.language_model
        if not hasattr(inner, 'multi_modal_projector'):
            inner = inner.model  # from transformers 4.52 on
        return inner.multi_modal_projector

    def project(self, tokens: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, n, D) tokens of the videos -> (B, n, H), each token by itself."""
        return self.projector(tokens)


def layers_after(config: Any) -> int:
    """Layers of CLIP behind the one that LLaVA reads.

    Raises:
        ValueError: If it reads several.
    """
    layer = config.vision_feature_layer
    if not isinstance(layer, int):
        raise ValueError(f'this LLaVA reads several layers of CLIP, {layer}; take one that reads '
                         'one')
    depth = config.vision_config.num_hidden_layers
    return -layer - 1 if layer < 0 else depth - layer
