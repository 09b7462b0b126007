"""The tokens of an answer that a language model is taught."""
from typing import Any

from ..models.templates import VIDEO, Template


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
