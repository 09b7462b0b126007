"""The answers that a language model is taught: their tokens, and the loss on them."""
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmbt.models.losses import global_mean, in_float32

from ..models.templates import VIDEO, Template

IGNORED = -100
"""A label of what is no word of an answer: prompt, video and padding."""


def check_end(tokenizer: Any, template: Template) -> None:
    """Refuse a model that cannot be taught where an answer ends.

    Raises:
        ValueError: If its template has no text and its tokenizer no token for that.
    """
    if not template.stop and tokenizer.eos_token_id is None:
        raise ValueError('the tokenizer has no token for the end of a sequence (eos_token), and '
                         'the template no text (stop): an answer would never end')


def answer_tokens(tokenizer: Any, template: Template, prompt: str, answer: str) -> list[int]:
    """What the language model is to write behind a prompt, its end included.

    The end is the template's ``stop``, or the end of a sequence. Where the template has a space
    between prompt and answer (LLaVA), it belongs to the answer, whose tokens are those that the
    joined text has behind the prompt's. Otherwise the answer is put into tokens by itself, as
    MiniGPT-4 and InstructBLIP were trained.

    Args:
        tokenizer: The language model's.
        template: How it was taught to be asked.
        prompt: From the template, with :data:`VIDEO` once.
        answer: The text.
    """
    space = template.answer.partition('{answer}')[0]
    text = answer.strip() + template.stop
    tokens = encode(tokenizer, text)
    if space:
        asked = prompt.partition(VIDEO)[2]
        before, joined = encode(tokenizer, asked), encode(tokenizer, asked + space + text)
        if joined[:len(before)] == before:
            tokens = joined[len(before):]
    return tokens if template.stop else [*tokens, tokenizer.eos_token_id]


def encode(tokenizer: Any, text: str) -> list[int]:
    """The tokens of a text, none added."""
    return list(tokenizer(text, add_special_tokens=False).input_ids)


def answer_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the answers' tokens, each foretold from all that stands before it.

    **Mean** over the tokens of all answers of all processes: a long answer counts more than a
    short one. At least in float32, whatever the precision of the logits.

    Args:
        logits: (B, L, V).
        labels: (B, L) int64, the token at each place where it belongs to an answer, and
            :data:`IGNORED` elsewhere.

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    foretold, told = logits[:, :-1], labels[:, 1:]
    counts = told != IGNORED
    chosen, = in_float32(foretold[counts])
    return global_mean(F.cross_entropy(chosen, told[counts], reduction='none'))
