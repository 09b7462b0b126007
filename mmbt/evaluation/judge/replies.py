"""What a judge replied: a grade, and whether the answer is right."""
import ast
import json
import math
import re
from typing import Any, Dict, List, NamedTuple, Optional

HIGHEST = 5
LONGEST = 10_000  # characters of a reply that is looked into
_DICTIONARY = re.compile(r'\{[^{}]*\}')


class Verdict(NamedTuple):
    """A reply.

    Attributes:
        score: From 0 to 5.
        right: Whether the answer is right, None where that was not asked.
    """

    score: float
    right: Optional[bool] = None


def parse_reply(text: Optional[str], is_qa: bool) -> Verdict:
    """Read a reply such as ``{'score': 4.8}`` or ``{'pred': 'yes', 'score': 4}``.

    The dictionary may be Python's or JSON's, and stand in a block of code or among words. Nothing
    of a reply is run.

    Args:
        text: The reply.
        is_qa: Whether it was asked if the answer is right.

    Raises:
        ValueError: If it says no grade, more than one, or one out of range.
    """
    said = dictionaries(text or '')
    if not said:
        raise ValueError(f'no dictionary in the reply {shorten(text)}')
    verdicts = {read_verdict(each, is_qa) for each in said}
    if len(verdicts) > 1:
        raise ValueError(f'different grades in one reply {shorten(text)}')
    return verdicts.pop()


def dictionaries(text: str) -> List[Dict]:
    """The dictionaries in a text."""
    found = []
    for candidate in _DICTIONARY.findall(text[:LONGEST]):
        for read in (ast.literal_eval, json.loads):
            try:
                value = read(candidate)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                continue
            if isinstance(value, dict):
                found.append(value)
                break
    return found


def read_verdict(said: Dict, is_qa: bool) -> Verdict:
    """The verdict of a dictionary; ValueError if it says none."""
    score = to_score(said.get('score'), said)
    if not is_qa:
        return Verdict(score)
    pred = said.get('pred')
    word = pred.strip().lower() if isinstance(pred, str) else pred
    if word not in ('yes', 'no'):
        raise ValueError(f"'pred' must be 'yes' or 'no' in the reply {shorten(said)}")
    return Verdict(score, word == 'yes')


def to_score(value: Any, said: Dict) -> float:
    """A grade as a number; ValueError if it is none."""
    try:
        score = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"'score' must be a number in the reply {shorten(said)}") from None
    if not 0 <= score <= HIGHEST:
        raise ValueError(f"'score' must be from 0 to {HIGHEST} in the reply {shorten(said)}")
    return score


def shorten(value: Any, limit: int = 120) -> str:
    """A reply on one line."""
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
