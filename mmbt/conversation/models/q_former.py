"""InstructBLIP and MiniGPT-4 with a video backbone in the place of EVA-CLIP."""
from collections.abc import Sequence
from typing import Any

import torch
import transformers
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmbt.models import HuggingFaceTrunk
from mmbt.models.checkpoints.branch_file import load_branch
from mmbt.models.families.hugging_face_check import check_folder, one_line

from .base import VideoDialogue
from .linear import load_tensors
from .loading import build_backbone, cast, dtype_of, from_pretrained, tokenizer_of
from .minigpt4_parts import (
    check_kind,
    check_parts,
    language_model_of,
    projector_of,
    q_former_of,
)
from .templates import Template
from .video_tokens import VideoTokens

MINIGPT4_EPS = 1e-5
"""Epsilon of MiniGPT-4's layer norm behind EVA-CLIP; transformers has 1e-6."""


class QFormerDialogue(VideoDialogue):
    """What models have in common that look at a video through a Q-Former.

    The video's tokens, the CLS first, pass EVA-CLIP's last layer norm; the Q-Former's query tokens
    read them, and a linear layer brings what they found to the language model.

    EVA-CLIP has 40 layers and these models lack the last. The branch stands beside layers 37 to 39.

    Args:
        trunk: The model's tower.
        backbone: Config of the video backbone, without its trunk.
        branch: A branch file, or None.
        q_former: The Q-Former of transformers.
        query_tokens: (1, Q, width) its queries.
        projector: The linear layer.
        language_model: Likewise.
        tokenizer: The language model's.
        template: How it is asked.
        combination: How branch and CLIP are joined, see :class:`VideoTokens`.
        pooling: What is left of T x N tokens, likewise.
        dtype: Precision of the weights, such as ``'float16'``. None: the language model's.
        generation: Defaults for ``generate``.
    """

    def __init__(self, trunk: HuggingFaceTrunk, backbone: dict, branch: str | None,
                 q_former: nn.Module, query_tokens: Tensor, projector: nn.Module,
                 language_model: nn.Module, tokenizer: Any, template: str | Template,
                 combination: str, pooling: str, dtype: str | None,
                 generation: dict | None) -> None:
        precision = dtype_of(dtype, language_model)
        tokens = VideoTokens(build_backbone(backbone, trunk), combination, pooling,
                             cls='first', norm=True)
        if dtype is not None:
            cast(language_model, precision)
        super().__init__(tokens.to(precision), language_model, tokenizer, template,
                         generation)
        self.q_former = q_former.to(precision).eval().requires_grad_(False)
        self.projector = projector.to(precision).eval().requires_grad_(False)
        self.register_buffer('query_tokens', query_tokens.detach().to(precision))
        if branch is not None:
            load_branch(self, branch)

    def project(self, tokens: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, n, D) tokens of the videos -> (B, Q, H), what the Q queries found in them."""
        queries = self.query_tokens.expand(len(tokens), -1, -1)
        seen = torch.ones(tokens.shape[:2], dtype=torch.long, device=tokens.device)
        found = self.q_former(
            query_embeds=queries, encoder_hidden_states=tokens, encoder_attention_mask=seen,
            **self.asked(questions, queries))
        return self.projector(found.last_hidden_state[:, :queries.shape[1]])

    def asked(self, questions: Sequence[str], queries: Tensor) -> dict[str, Tensor]:
        """What the Q-Former is told of the questions."""
        return {}


@MODELS.register_module()
class InstructBLIPDialogue(QFormerDialogue):
    """Conversation by InstructBLIP with Vicuna, in Hugging Face's form.

    Its Q-Former is told the question too.

    Args:
        model: A :class:`transformers.InstructBlipForConditionalGeneration`, or a folder or name on
            the hub of one.
        backbone: Config of the video backbone, without its trunk; ``dict(type='FrameMean')`` is
            InstructBLIP itself on each frame.
        branch: A branch file, see :func:`mmbt.apis.save_branch`; one of instruction tuning brings
            the projector too. None leaves the branch as built.
        tokenizer: Where ``model`` is a module: its tokenizer. Else the folder's own.
        question_tokenizer: Likewise, of the Q-Former.
        template: How it is asked.
        combination: How branch and CLIP are joined, see :class:`VideoTokens`.
        pooling: What is left of T x N tokens, likewise.
        dtype: Precision of the weights, such as ``'float16'``. Defaults to float32, or that of the
            language model of a module.
        generation: Defaults for ``generate``.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If the language model is not a causal one, weights are missing, or the branch
            does not belong to its CLIP.
    """

    def __init__(self,
                 model: str | nn.Module,
                 backbone: dict,
                 branch: str | None = None,
                 tokenizer: Any = None,
                 question_tokenizer: Any = None,
                 template: str | Template = 'instructblip',
                 combination: str = 'weighted',
                 pooling: str = 'time',
                 dtype: str | None = None,
                 generation: dict | None = None) -> None:
        check_kind(model, transformers.InstructBlipForConditionalGeneration)
        if isinstance(model, str):
            tokenizer = tokenizer or tokenizer_of(model)
            question_tokenizer = question_tokenizer or tokenizer_of(
                model, subfolder='qformer_tokenizer')
            model = from_pretrained(transformers.InstructBlipForConditionalGeneration, model,
                                    dtype_of(dtype, model))
        elif tokenizer is None or question_tokenizer is None:
            raise ValueError('a model that is a module needs its two tokenizers too')
        super().__init__(without_last(model), backbone, branch, model.qformer, model.query_tokens,
                         model.language_projection, model.language_model, tokenizer, template,
                         combination, pooling, dtype, generation)
        self.question_tokenizer = question_tokenizer

    def asked(self, questions: Sequence[str], queries: Tensor) -> dict[str, Tensor]:
        """The questions in BERT's tokens: (B, L) ids, and the mask of Q queries and L tokens."""
        words = self.question_tokenizer(
            list(questions), padding=True, truncation=True, return_tensors='pt',
            max_length=self.q_former.config.max_position_embeddings)
        words = {name: words[name].to(queries.device) for name in ('input_ids', 'attention_mask')}
        seen = torch.ones(queries.shape[:2], dtype=torch.long, device=queries.device)
        return dict(input_ids=words['input_ids'],
                    attention_mask=torch.cat([seen, words['attention_mask']], dim=1))


@MODELS.register_module()
class MiniGPT4Dialogue(QFormerDialogue):
    """Conversation by MiniGPT-4: BLIP-2's eye and Q-Former, and a Vicuna or LLaMA-2.

    Published MiniGPT-4 is one linear layer between them. So it is put together from BLIP-2, of
    which the tower and the Q-Former alone are read (``Salesforce/blip2-flan-t5-xxl`` has those
    that MiniGPT-4 was trained with), a language model, and the file with that layer.

    MiniGPT-4's layer norm behind EVA-CLIP has an epsilon of 1e-5; that of a module is set to it.

    Args:
        model: A :class:`transformers.Blip2ForConditionalGeneration`, or a folder or name on the
            hub of one.
        backbone: Config of the video backbone, without its trunk.
        language_model: A folder or name on the hub of a causal language model, or a module. None
            takes that of ``model``, a module.
        projector: A file with ``llama_proj.weight`` and ``llama_proj.bias``, as published. None
            takes the projection of ``model``, a module.
        branch: A branch file, see :func:`mmbt.apis.save_branch`; one of instruction tuning brings
            the projector too. None leaves the branch as built.
        tokenizer: Where the language model is a module: its tokenizer. Else the folder's own.
        template: How it is asked: ``'minigpt4_vicuna'`` or ``'minigpt4_llama2'``.
        combination: How branch and CLIP are joined, see :class:`VideoTokens`.
        pooling: What is left of T x N tokens, likewise.
        dtype: Precision of the weights, such as ``'float16'``. Defaults to float32, or that of the
            language model of a module.
        generation: Defaults for ``generate``.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If a part is missing, weights are missing or do not fit, or the branch does not
            belong to its CLIP.
    """

    def __init__(self,
                 model: str | nn.Module,
                 backbone: dict,
                 language_model: str | nn.Module | None = None,
                 projector: str | None = None,
                 branch: str | None = None,
                 tokenizer: Any = None,
                 template: str | Template = 'minigpt4_vicuna',
                 combination: str = 'weighted',
                 pooling: str = 'time',
                 dtype: str | None = None,
                 generation: dict | None = None) -> None:
        check_parts(model, language_model, projector)
        weights = None if projector is None else load_tensors(projector)
        q_former, query_tokens = q_former_of(model)
        words, tokenizer = language_model_of(model, language_model, tokenizer, dtype)
        layer = projector_of(model, weights, projector, query_tokens.shape[2],
                             words.get_input_embeddings().weight.shape[1])
        trunk = without_last(model)
        trunk.visual.norm.eps = MINIGPT4_EPS
        super().__init__(trunk, backbone, branch, q_former, query_tokens, layer, words, tokenizer,
                         template, combination, pooling, dtype, generation)


def without_last(model: str | nn.Module) -> HuggingFaceTrunk:
    """The tower of a model that lacks the last layer of its CLIP, as one without its last."""
    if isinstance(model, str):
        check_folder(model)
        with one_line(model, 'its config.json cannot be read', (OSError,)):
            kind = transformers.AutoConfig.from_pretrained(model, trust_remote_code=False)
    else:
        kind = model.config
    return HuggingFaceTrunk(model, depth=kind.vision_config.num_hidden_layers + 1, drop_last=1)
