"""Names and texts of others, so written that a terminal, a table or a spreadsheet does nothing.

Names of files that are not UTF-8 too, which Python holds with lone surrogates.
"""
import codecs
import csv
import re
import unicodedata
from collections.abc import Iterable
from typing import TextIO

ANY_NAME = 'mmbt.any_name'
"""For ``open(errors=...)`` and the like: a name is written as the bytes that it has on the disk,
and what no encoding has as an escape."""

# What a spreadsheet takes for a formula, and what it passes over in front of one.
_FORMULA = re.compile(r'[\t\r\n ]*[=+\-@\uff0b\uff0d\uff1d\uff20]|[\t\r]')
_NUMBER = re.compile(r'[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?')
# Control and format characters (escape sequences, text that runs backwards), halves of characters,
# and the separators of lines and paragraphs.
_JOINERS = '\u200c\u200d'  # of Persian, of Indian scripts and of emoji
_MOVES = ('Cc', 'Cf', 'Cs', 'Zl', 'Zp')


def printable(text: object) -> str:
    """A text whose control characters, and what else moves or hides text, are written as escapes.

    Args:
        text: Anything; its ``str``.

    Returns:
        One line that any UTF-8 output takes.
    """
    text = str(text)
    if text.isprintable():
        return text
    return ''.join(character.encode('unicode_escape').decode() if _moves(character) else character
                   for character in text)


def csv_cell(value: object) -> object:
    """A value for a cell of a table: text that a spreadsheet would run gets an apostrophe in front.

    Numbers, also as text, stay as they are; other text is :func:`printable`.
    """
    if not isinstance(value, str):
        return value
    is_formula = _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{printable(value)}" if is_formula else printable(value)


def markdown_cell(value: object) -> str:
    """A value for a cell of a Markdown table: on one line, with bars and tags that are text."""
    return printable(value).replace('|', '\\|').replace('<', '&lt;')


def write_csv(file: TextIO, rows: Iterable[Iterable[object]]) -> None:
    """Write rows as CSV, cell by cell through :func:`csv_cell`."""
    csv.writer(file).writerows([csv_cell(value) for value in row] for row in rows)


def _moves(character: str) -> bool:
    return unicodedata.category(character) in _MOVES and character not in _JOINERS


def _as_on_disk(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    written = b''.join(bytes([ord(letter) - 0xdc00]) if '\udc80' <= letter <= '\udcff'
                       else letter.encode('ascii', 'backslashreplace')
                       for letter in error.object[error.start:error.end])
    return written, error.end


codecs.register_error(ANY_NAME, _as_on_disk)
