"""Answers that can be read while they are written."""
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer


class _Tokens(BaseStreamer):
    """Hands over each token as it comes; of a prompt none."""

    def __init__(self, into: 'queue.Queue[Any]') -> None:
        self.into = into
        self.prompted = False

    def put(self, value: Tensor) -> None:
        """The prompt's ids, which there are none of where it is embedded, then token by token."""
        if not self.prompted:
            self.prompted = True
            return
        self.into.put(value.reshape(-1).tolist())

    def end(self) -> None:
        """Nothing more comes."""


class _Unwanted(StoppingCriteria):
    """Ends an answer that nobody waits for any more."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self, input_ids: Tensor, scores: Tensor, **kwargs: Any) -> Tensor:
        """(B, L) -> (B,) whether each has ended."""
        return torch.full((len(input_ids), ), self.event.is_set(), device=input_ids.device)


def stream_answer(answer: Callable[..., str], shown: Callable[[list[int]], str],
                  **generation: Any) -> Iterator[str]:
    """What an answer is so far, each time that it has grown; the last is the whole of it.

    Where the iterator is closed before its end, the answer is given up.

    Args:
        answer: Writes it, given ``streamer`` and ``stopping_criteria`` beside ``generation``.
        shown: Token ids as text.
        **generation: As ``answer`` takes them. Several beams have no text before their end.
    """
    parts: queue.Queue[Any] = queue.Queue()
    unwanted = _Unwanted()
    streamer = None if generation.get('num_beams', 1) > 1 else _Tokens(parts)
    criteria = [*generation.pop('stopping_criteria', []), unwanted]

    def write() -> None:
        try:
            parts.put(answer(streamer=streamer, stopping_criteria=criteria, **generation))
        except BaseException as error:
            parts.put(error)

    writer = threading.Thread(target=write, name='mmbt answer', daemon=True)
    writer.start()
    try:
        yield from _grown(parts, shown)
    finally:
        unwanted.event.set()
        writer.join()


def _grown(parts: 'queue.Queue[Any]', shown: Callable[[list[int]], str]) -> Iterator[str]:
    tokens: list[int] = []
    told = ''
    while True:
        part = parts.get()
        if isinstance(part, BaseException):
            raise part
        if isinstance(part, str):
            if part != told:
                yield part
            return
        tokens += part
        text = shown(tokens)
        if text and text != told and not text.endswith('\ufffd'):  # half of a character
            told = text
            yield told
