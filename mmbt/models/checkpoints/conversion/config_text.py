"""A config as Python, of values that stay what they are when MMEngine reads it.

MMEngine's own writer puts keys into the text as they are, and its reader replaces ``{{...}}`` in
the text before it runs it. What is written here is made of literals alone.
"""
import math
from collections.abc import Iterable, Mapping
from keyword import iskeyword
from typing import Any

WIDTH, INDENT = 100, 4

# Keys that MMEngine takes for instructions, and names that no config may have.
INSTRUCTIONS = ('_base_', '_delete_', '_deprecation_')
RESERVED = ('filename', 'text', 'pretty_text', 'env_variables')


def config_text(values: Mapping[str, Any]) -> str:
    """The text of a config with these values, one assignment for each.

    Args:
        values: None, numbers, texts, and lists, tuples and dicts of them, by name.

    Raises:
        ValueError: If a name or value cannot be written so that it is read as what it is.
    """
    lines = []
    for name, value in values.items():
        if not is_name(name) or name.startswith('_') or name in RESERVED:
            raise ValueError(f'a config cannot hold a value named {str(name)[:40]!r}')
        lines.append(f'{name} = {_literal(value, len(name) + 3, 0)}\n')
    return ''.join(lines)


def is_name(key: Any) -> bool:
    """Whether a key can be written as a name."""
    return isinstance(key, str) and key.isascii() and key.isidentifier() and not iskeyword(key)


def _literal(value: Any, before: int, indent: int) -> str:
    """A value in Python.

    Args:
        value: The value.
        before: Characters that stand before it in its line.
        indent: Where the lines begin that it is broken into.

    Raises:
        ValueError: If it is no plain value.
    """
    if value is None or type(value) in (bool, int):
        return repr(value)
    if type(value) is float and math.isfinite(value):
        return repr(value)
    if type(value) is str:
        return repr(value).replace('{{', '{\\x7b')  # the same text, and no template of MMEngine's
    if type(value) in (list, tuple):
        pairs = [('', each) for each in value]
        return _braced('[' if type(value) is list else '(', pairs, ']' if type(value) is list else
                       ',)' if len(value) == 1 else ')', before, indent)
    if isinstance(value, dict):
        return _dict_literal(value, before, indent)
    raise ValueError(f'a config cannot hold a {type(value).__name__} ({str(value)[:40]!r})')


def _dict_literal(value: Mapping, before: int, indent: int) -> str:
    """A dict in Python."""
    for key in value:
        if type(key) is not str or key in INSTRUCTIONS:
            raise ValueError(f'a config cannot hold the key {str(key)[:40]!r}')
    if all(map(is_name, value)):
        return _braced('dict(', [(f'{key}=', each) for key, each in value.items()], ')', before,
                       indent)
    return _braced('{', [(f'{_literal(key, 0, 0)}: ', each) for key, each in value.items()], '}',
                   before, indent)


def _braced(start: str, pairs: list[tuple], end: str, before: int, indent: int) -> str:
    """Values between braces, in one line if they fit."""
    line = start + ', '.join(key + _literal(value, 0, 0) for key, value in pairs) + end
    if before + len(line) <= WIDTH and '\n' not in line:
        return line
    inner = ' ' * (indent + INDENT)
    return f'{start}\n{"".join(_lines(pairs, inner))}{" " * indent}{end.lstrip(",")}'


def _lines(pairs: Iterable[tuple], inner: str) -> Iterable[str]:
    for key, value in pairs:
        yield f'{inner}{key}{_literal(value, len(inner) + len(key) + 1, len(inner))},\n'
