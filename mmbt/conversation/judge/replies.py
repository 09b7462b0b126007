"""What a judge replied: a grade, and whether the answer is right."""
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from .loose_objects import Bare, Pairs, loose_objects

HIGHEST = 5
_THINKING = r'(?:think|thinking|thought|reasoning|analysis)'
_THOUGHT = re.compile(rf'^.*</{_THINKING}>', re.S | re.I)
_THINKS = re.compile(rf'^\s*<{_THINKING}>', re.I)
_GRADE = re.compile(r'([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*(?:/|out of)\s*(\d+)(?:\.0*)?)?', re.A)


class Verdict(NamedTuple):
    """A reply.

    Attributes:
        score: From 0 to 5.
        right: Whether the answer is right, None where that was not asked.
    """

    score: float
    right: bool | None = None


def parse_reply(text: str | None, is_qa: bool) -> Verdict:
    """Read a reply such as ``{'score': 4.8}`` or ``{'pred': 'yes', 'score': 4}``.

    The dictionary may be Python's or JSON's, or lack its quotes; it may stand in a block of code,
    among words, behind reasoning or within another one. Of several the last one that answers
    counts: a judge that reasons, or repeats the question, answers at its end. Nothing of a reply is
    run.

    Args:
        text: The reply.
        is_qa: Whether it was asked if the answer is right.

    Raises:
        ValueError: If it says no grade, or one out of range.
    """
    said = _answer_of(text or '')
    objects = loose_objects(said)
    if not objects:
        raise ValueError(f'no dictionary in the reply {shorten(text)}')
    wanted = {'score', 'pred'} if is_qa else {'score'}
    answers = [each for outer in objects for each in within(outer)
               if wanted & {_key_of(key) for key, _ in each}]
    return _read_verdict(answers[-1] if answers else objects[-1], is_qa)


def _answer_of(text: str) -> str:
    """A reply without the reasoning in front; nothing of one that was cut short in it."""
    text = _THOUGHT.sub('', text)
    return '' if _THINKS.match(text) else text


def within(outer: Pairs) -> Iterator[Pairs]:
    """The objects within an object, and itself behind them."""
    for _, value in outer:
        for each in value if isinstance(value, list) and not isinstance(value, Pairs) else [value]:
            if isinstance(each, Pairs):
                yield from within(each)
    yield outer


def _key_of(key: str) -> str:
    """A key as it is compared."""
    return key.strip().lower()


def _read_verdict(said: Pairs, is_qa: bool) -> Verdict:
    """The verdict of an object; ValueError if it says none."""
    score = _to_score(_value_of(said, 'score'), said)
    if not is_qa:
        return Verdict(score)
    pred = _value_of(said, 'pred')
    word = pred.strip().strip('.!').lower() if isinstance(pred, str) else pred
    if word not in ('yes', 'no'):
        raise ValueError(f"'pred' must be 'yes' or 'no' in the reply {shorten(as_dict(said))}")
    return Verdict(score, word == 'yes')


def _value_of(said: Pairs, name: str) -> Any:
    """The value of a key; ValueError if it has several."""
    values = [value for key, value in said if _key_of(key) == name]
    if any(value != values[0] for value in values):
        raise ValueError(f'different grades in one reply {shorten(as_dict(said))}')
    return values[0] if values else None


def _to_score(value: Any, said: Pairs) -> float:
    """A grade as a number, of 4, '4' or '4/5'; ValueError if it is none."""
    score = value if isinstance(value, float) else math.nan
    if isinstance(value, str):
        found = _GRADE.fullmatch(value.strip())
        if found and found[2] in (None, str(HIGHEST)):
            score = float(found[1])
    if math.isnan(score):
        raise ValueError(f"'score' must be a number in the reply {shorten(as_dict(said))}")
    if not 0 <= score <= HIGHEST:
        raise ValueError(f"'score' must be from 0 to {HIGHEST} in the reply "
                         f'{shorten(as_dict(said))}')
    return score


def as_dict(said: Pairs) -> dict:
    """An object as it is shown."""
    return {key: as_dict(value) if isinstance(value, Pairs) else
            str(value) if isinstance(value, Bare) else value for key, value in said}


def shorten(value: Any, limit: int = 120) -> str:
    """A reply on one line."""
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
