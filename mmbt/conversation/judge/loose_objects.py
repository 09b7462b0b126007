"""Objects among words, as language models write them: JSON, Python, and what is nearly one of them.

Nothing is run. What is read is bounded in length and depth, so that no text takes long.
"""
import re
from typing import Any, NamedTuple

LONGEST = 10_000  # characters that are looked into
DEEPEST = 16  # objects and lists within one another

_BLANK = re.compile(r'\s*')
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'', re.S)
_NUMBER = re.compile(r'[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?=\s*[,}\]):])', re.A)
_WORD = re.compile(r'[\w][\w .%/+-]*', re.A)  # yes, None, 4/5, 4 out of 5
_ESCAPE = re.compile(r'\\(.)', re.S)
_CLOSING = {'{': '}', '[': ']', '(': ')'}


class Bare(str):
    """A word without quotes."""


class Pairs(list[tuple[str, Any]]):
    """An object: keys and values in their order, a key perhaps twice."""


class NotAnObject(Exception):
    """A place where no object is."""


class _Read(NamedTuple):
    value: Any
    end: int


def loose_objects(text: str) -> list[Pairs]:
    """The objects in the last :data:`LONGEST` characters of a text, outermost ones, in order.

    Keys and values may be in either quotes or in none, lists are lists, numbers are floats, and
    commas may trail.
    """
    text = text.strip()[-LONGEST:]
    found, place = [], text.find('{')
    while place >= 0:
        try:
            read = _value(text, place, 0)
        except NotAnObject:
            place = text.find('{', place + 1)
            continue
        if isinstance(read.value, Pairs):
            found.append(read.value)
        place = text.find('{', read.end)
    return found


def _value(text: str, place: int, depth: int) -> _Read:
    opening = text[place:place + 1]
    if opening in _CLOSING and opening:
        if depth == DEEPEST:
            raise NotAnObject
        return _container(text, place, depth + 1)
    for pattern in (_STRING, _NUMBER, _WORD):
        found = pattern.match(text, place)
        if found:
            return _Read(_scalar(pattern, found), found.end())
    raise NotAnObject


def _scalar(pattern: 're.Pattern', found: 're.Match') -> Any:
    if pattern is _NUMBER:
        return float(found[0])
    if pattern is _WORD:
        return Bare(found[0].strip())
    return _ESCAPE.sub(r'\1', found[1] if found[1] is not None else found[2])


def _container(text: str, place: int, depth: int) -> _Read:
    """An object, or what is between brackets; ``place`` is at the opening."""
    closing = _CLOSING[text[place]]
    is_object = closing == '}'
    pairs, place = Pairs(), _blank(text, place + 1)
    while text[place:place + 1] != closing:
        value, place = _value(text, place, depth)
        place = _blank(text, place)
        key: str | None = None
        if is_object:
            if not isinstance(value, str) or text[place:place + 1] != ':':
                raise NotAnObject
            key = value
            value, place = _value(text, _blank(text, place + 1), depth)
            place = _blank(text, place)
        pairs.append((key or '', value))
        if text[place:place + 1] == ',':
            place = _blank(text, place + 1)
        elif text[place:place + 1] != closing:
            raise NotAnObject
    return _Read(pairs if is_object else [value for _, value in pairs], place + 1)


def _blank(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    assert blank is not None, 'it matches nothing too'
    return blank.end()
