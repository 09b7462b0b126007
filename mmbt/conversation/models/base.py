"""A language model that is told a video: video tokens -> projector -> language model."""
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import StoppingCriteria, StoppingCriteriaList

from .templates import TEMPLATES, VIDEO, Round, Template
from .video_tokens import VideoTokens


class StopText(StoppingCriteria):
    """Ends an answer in which a text has come up, however it was put into tokens.

    Args:
        stop: The text.
        tokenizer: The language model's.
    """

    def __init__(self, stop: str, tokenizer: Any) -> None:
        self.stop = stop
        self.tokenizer = tokenizer

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """(B, L) tokens of the answers so far -> (B,) whether each has ended."""
        ends = input_ids[:, -2 * len(self.stop):]  # a character takes a token or two at most
        texts = self.tokenizer.batch_decode(ends, skip_special_tokens=True)
        return torch.tensor([self.stop in text for text in texts], device=input_ids.device)


class VideoDialogue(nn.Module, metaclass=ABCMeta):
    """Answers to questions about videos, by an image dialogue model with another eye.

    All is frozen and in eval mode: nothing is trained here (zero-shot conversation, Sec. 4.1).
    :class:`DialogueTuning` trains parts of it. Subclasses have a ``projector``, the layer behind
    which a video's tokens are as wide as the language model's.

    Args:
        tokens: What of a video the model reads.
        language_model: A causal language model of transformers; only ``generate``, the call with
            ``inputs_embeds`` and ``get_input_embeddings`` are used.
        tokenizer: Its tokenizer.
        template: How it was taught to be asked: a name in :data:`TEMPLATES`, a template, or a dict
            of its attributes.
        generation: Defaults for ``generate``, such as ``temperature``; ``max_new_tokens`` is 1,024
            if it is not given, as the authors released.

    Raises:
        ValueError: If there is no such template, or the language model is not a causal one.
    """

    def __init__(self, tokens: VideoTokens, language_model: nn.Module, tokenizer: Any,
                 template: Any, generation: dict | None = None) -> None:
        super().__init__()
        if isinstance(template, dict):
            template = Template(**template)
        if not isinstance(template, Template) and template not in TEMPLATES:
            raise ValueError(f'template is one of {sorted(TEMPLATES)}, got {template!r}')
        if getattr(language_model.config, 'is_encoder_decoder', False):
            raise ValueError(f'{type(language_model).__name__} reads and writes in two parts; take '
                             'a dialogue model of Vicuna or LLaMA')
        self.tokens = tokens
        self.language_model = language_model
        self.tokenizer = tokenizer
        self.template = TEMPLATES[template] if isinstance(template, str) else template
        self.generation = {'max_new_tokens': 1024, **ends(language_model, tokenizer),
                           **(generation or {})}
        self.requires_grad_(False)
        self.eval()

    @property
    def backbone(self) -> nn.Module:
        """The video backbone."""
        return self.tokens.backbone

    def tuned_parts(self) -> nn.ModuleDict:
        """What instruction tuning may train, by the names that branch files have."""
        return nn.ModuleDict(dict(backbone=self.tokens.backbone, balance=self.tokens.gate,
                                  projector=self.projector))

    def train(self, mode: bool = True) -> 'VideoDialogue':
        """Stay in eval mode, whatever ``mode`` is: nothing in here learns by itself."""
        return super().train(False)

    @abstractmethod
    def project(self, tokens: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, n, D) tokens of the videos -> (B, m, H) as the language model reads them."""

    def embed_text(self, text: str, start: bool) -> Tensor:
        """(L, H) embeddings of a piece of a prompt; ``start`` puts the first token before it."""
        embedding = self.language_model.get_input_embeddings()
        ids = self.tokenizer(text, add_special_tokens=start).input_ids
        return embedding(torch.tensor(ids, dtype=torch.long, device=embedding.weight.device))

    def splice(self, video: Tensor, prompt: str) -> Tensor:
        """A prompt with the video in its place, (L, H).

        Both sides of the video are put into tokens by themselves, as the models were trained. The
        first token of a sequence stands before the first text that there is.

        Args:
            video: (m, H).
            prompt: With :data:`VIDEO` once.
        """
        before, marker, after = prompt.partition(VIDEO)
        assert marker and VIDEO not in after
        pieces = [self.embed_text(before, True)] if before else []
        pieces += [video, self.embed_text(after, start=not before)]
        return torch.cat(pieces)

    def inputs(self, tokens: Tensor, questions: Sequence[str],
               histories: Sequence[Sequence[Round]] | None = None) -> tuple[Tensor, Tensor]:
        """What the language model goes on from.

        Args:
            tokens: (B, n, D) of the videos, from :attr:`tokens`; one video for each question.
            questions: B questions.
            histories: For each, the rounds before it.

        Returns:
            (B, L, H) embeddings, padded on the left, and their (B, L) int64 mask.

        Raises:
            ValueError: If the numbers of videos, questions and histories differ, or the template
                refuses a text.
        """
        histories = [()] * len(questions) if histories is None else histories
        if not len(tokens) == len(questions) == len(histories):
            raise ValueError(f'{len(tokens)} videos, {len(questions)} questions and '
                             f'{len(histories)} histories; there must be one of each for each')
        prompts = [self.template.prompt(*each) for each in zip(questions, histories)]
        rows = self.rows(tokens, questions, prompts)
        longest = max(len(row) for row in rows)
        embeds = torch.stack([F.pad(row, (0, 0, longest - len(row), 0)) for row in rows])
        empty = torch.tensor([[longest - len(row)] for row in rows], device=embeds.device)
        mask = torch.arange(longest, device=embeds.device) >= empty
        return embeds, mask.long()

    def rows(self, tokens: Tensor, questions: Sequence[str],
             prompts: Sequence[str]) -> list[Tensor]:
        """Each prompt with its video in its place, B of (L, H), not padded."""
        videos = self.project(tokens, questions).to(self.width_like.dtype)
        return [self.splice(*each) for each in zip(videos, prompts)]

    @property
    def width_like(self) -> Tensor:
        """A weight with the language model's precision."""
        return self.language_model.get_input_embeddings().weight

    @torch.no_grad()
    def generate(self, imgs: Tensor, questions: Sequence[str],
                 histories: Sequence[Sequence[Round]] | None = None,
                 **generation: Any) -> list[str]:
        """Answer a question about each video, from its (B, T, 3, H, W) normalised frames.

        Otherwise as :meth:`answer`.
        """
        return self.answer(self.tokens(imgs), questions, histories, **generation)

    @torch.no_grad()
    def answer(self, tokens: Tensor, questions: Sequence[str],
               histories: Sequence[Sequence[Round]] | None = None,
               **generation: Any) -> list[str]:
        """Answer a question about each video, from its tokens, which serve any question.

        Args:
            tokens: (B, n, D) of the videos, from :attr:`tokens`.
            questions: B questions.
            histories: For each, the rounds before it.
            **generation: As transformers' ``generate`` takes them; they go before the model's
                defaults.

        Returns:
            B answers.

        Raises:
            ValueError: As :meth:`inputs`.
        """
        embeds, mask = self.inputs(tokens, questions, histories)
        settings = {'pad_token_id': self.pad_token_id, **self.generation, **generation}
        stops = StoppingCriteriaList(settings.pop('stopping_criteria', []))
        if self.template.stop:
            stops.append(StopText(self.template.stop, self.tokenizer))
        ids = self.language_model.generate(
            inputs_embeds=embeds, attention_mask=mask, stopping_criteria=stops, **settings)
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
        return [self.until_stop(text) for text in texts]

    @property
    def pad_token_id(self) -> int:
        """What fills up the answers that end before others."""
        pad = self.tokenizer.pad_token_id
        return self.tokenizer.eos_token_id if pad is None else pad

    def so_far(self, ids: Sequence[int]) -> str:
        """The part of an answer that is written: without what may become its end."""
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        stop = self.template.stop
        whole = self.until_stop(text)
        begun = next((count for count in range(len(stop) - 1, 0, -1)
                      if whole.endswith(stop[:count])), 0)
        return whole[:len(whole) - begun].rstrip()

    def until_stop(self, text: str) -> str:
        """An answer without what stands behind its end."""
        if self.template.stop:
            text = text.partition(self.template.stop)[0]
        return text.strip()


def ends(language_model: nn.Module, tokenizer: Any) -> dict[str, list[int]]:
    """What ends an answer, for ``generate``: the language model's own token and the tokenizer's.

    The LLaMA that was published first, and models made with its config.json, name ``<s>`` there.
    """
    config = getattr(language_model, 'generation_config', language_model.config)
    own = config.eos_token_id
    tokens = {*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id} - {None}
    return dict(eos_token_id=sorted(tokens)) if tokens else {}
