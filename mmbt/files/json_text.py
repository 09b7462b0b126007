"""JSON of others, validated: of bounded size and depth, repeated keys told, no half characters."""
import json
import logging
import os
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from .text import MOST_BYTES, line_of, read_lines, read_text, shorten

DEEPEST = 64  # objects and lists within one another
JSON_LINES = ('.jsonl', '.ndjson')

_ESCAPE = re.compile(r'\\(?:u([0-9a-fA-F]{4})|.)', re.S)
_HALF = re.compile(r'\\u[dD][89a-fA-F]')
_WHOLE_NUMBERS = range(-2**63, 2**64)

warn: Callable[[str], object] = logging.getLogger('mmbt').warning


class Repeated(dict):
    """A JSON object of which a key occurs twice; ``pairs`` are all of its keys and values."""

    pairs: list


def read_json(path: str | os.PathLike, kinds: type | tuple[type, ...] = (dict, list),
              what: str = 'file', key: str = '', most: int = MOST_BYTES,
              repeated: str = 'the last of each counts',
              report: Callable[[str], object] = warn) -> Any:
    """Return what a JSON file holds; a ``.jsonl`` or ``.ndjson`` file is a list of its lines.

    ``NaN`` and ``Infinity``, which Python writes, are read as floats.

    Args:
        path: The file.
        kinds: Type of the top level, dict, list or both.
        what: What it is, for errors.
        key: What is set to its path, for errors.
        most: Bytes that it may have. Defaults to 2 GiB.
        repeated: What is done where a key occurs twice, for the report.
        report: Called with a line where a key does. Defaults to a warning of the logger 'mmbt'.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is empty, too large, not UTF-8, malformed or nested deeper than
            ``DEEPEST``, its top level is of another type, a text holds half of a character, or a
            whole number does not fit 64 bits.
    """
    twice: list[str] = []
    if str(path).lower().endswith(JSON_LINES):
        content: Any = [parse_json(line, f'{path} line {number}', twice=twice)
                        for number, line in read_lines(path, what, key)]
    else:
        content = parse_json(read_text(path, what, key, most), str(path), True, twice)
    if not isinstance(content, kinds):
        names = ' or '.join(kind.__name__ for kind in (
            kinds if isinstance(kinds, tuple) else (kinds, )))
        raise ValueError(f'{path} must hold a JSON {names} but holds a {type(content).__name__}: '
                         f'is it the {what}?')
    if twice:
        report(f'{path}: {len(twice):,} keys occur twice in one object, such as '
               f'{shorten(twice[0])}; {repeated}')
    return content


def parse_json(text: str, where: str, with_lines: bool = False,
               twice: list | None = None) -> Any:
    """Return what a JSON text holds; see :func:`read_json`.

    Args:
        text: The JSON.
        where: The file, or file and line, that it is of.
        with_lines: Whether errors add the line within the text.
        twice: Gets each key that occurs twice in an object.

    Raises:
        ValueError: As :func:`read_json`.
    """
    def join(pairs: list) -> dict:
        joined = dict(pairs)
        if len(joined) < len(pairs):
            joined = Repeated(joined)
            joined.pairs = pairs
            if twice is not None:
                counts = Counter(key for key, _ in pairs)
                twice.extend(key for key, count in counts.items() if count > 1)
        return joined

    def place(position: int) -> str:
        return f'{where} line {line_of(text, position)}' if with_lines else where

    try:
        content = json.loads(text, object_pairs_hook=join, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        hint = '; is it JSON lines? then name it .jsonl' if error.msg == 'Extra data' else ''
        raise ValueError(f'{place(error.pos)} is not valid JSON: {error.msg}{hint}') from None
    except RecursionError:
        raise ValueError(f'{where} is nested too deeply') from None
    except ValueError as error:
        raise ValueError(f'{where} {error}') from None
    if _is_deep(content):
        raise ValueError(f'{where} is nested deeper than {DEEPEST} objects and lists')
    if _HALF.search(text):
        _refuse_halves(text, place)
    return content


def is_json(path: str | os.PathLike) -> bool:
    """Whether a file's name says that it is JSON, or JSON lines."""
    return str(path).lower().endswith(('.json', *JSON_LINES))


def _whole_number(digits: str) -> int:
    number = int(digits) if len(digits) <= 20 else None
    if number is None or number not in _WHOLE_NUMBERS:
        raise ValueError(f'holds the whole number {digits[:24]}..., which does not fit 64 bits: '
                         'write it as text, or leave it out')
    return number


def _is_deep(content: Any) -> bool:
    level: list[list | dict] = [[content]]
    for _ in range(DEEPEST + 1):
        level = [each for owner in level
                 for each in (owner.values() if isinstance(owner, dict) else owner)
                 if isinstance(each, (dict, list))]
        if not level:
            return False
    return True


def _refuse_halves(text: str, place: Callable[[int], str]) -> None:
    """Raise ValueError for an escape of half a character (a surrogate) without its other half."""
    waiting = None
    for escape in _ESCAPE.finditer(text):
        code = int(escape[1] or '0', 16)
        is_low = 0xdc00 <= code < 0xe000
        if waiting is not None and not (is_low and escape.start() == waiting.end()):
            break
        if waiting is None and is_low:
            waiting = escape
            break
        waiting = escape if 0xd800 <= code < 0xdc00 else None
    if waiting is not None:
        raise ValueError(f'{place(waiting.start())} holds {waiting[0]}, half of a character: write '
                         'the file again from its source, or take it out')
