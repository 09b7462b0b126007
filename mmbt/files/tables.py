"""Tables of others, comma- or tab-separated, row by row."""
import csv
import os
from collections.abc import Iterator

from .text import shorten, stream_text

MOST_LINES = 100  # of one row, in quotes


def read_rows(path: str | os.PathLike, what: str = 'file',
              key: str = '') -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the values of each row of a table, the header first, blank ones left out.

    Values are parted by commas, in a ``.tsv`` by tabs; a quote that is never closed is refused.
    """
    rows = csv.reader(stream_text(path, what, key), delimiter=delimiter_of(path))
    row: list[str] = []
    before = began = 0
    try:
        for row in rows:
            number = rows.line_num
            if number - before > MOST_LINES:
                raise ValueError(_unclosed(path, before + 1))
            if row:
                yield number, row
            before, began = number, before + 1
    except csv.Error as error:
        raise ValueError(f'{path} line {rows.line_num} is not a row of a table: {error}') from None
    if row and row[-1].endswith(('\n', '\r')):
        raise ValueError(_unclosed(path, began))


def delimiter_of(path: str | os.PathLike) -> str:
    """What parts the values of a table: a tab in a ``.tsv``, else a comma."""
    return '\t' if str(path).lower().endswith('.tsv') else ','


def read_table(path: str | os.PathLike, columns: tuple[str, ...], what: str = 'file',
               key: str = '') -> Iterator[tuple[int, list[str]]]:
    """Yield the line and the values of ``columns`` of each row; never the whole file in memory.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: Also if a column is missing or there twice, a row is short, or there is no row.
    """
    rows = read_rows(path, what, key)
    _, header = next(rows)
    missing = [column for column in columns if column not in header]
    if missing:
        raise ValueError(f'{path} has no column {", ".join(missing)}: its header is '
                         f'{shorten(",".join(header))}')
    twice = [column for column in columns if header.count(column) > 1]
    if twice:
        raise ValueError(f'{path} has two columns {twice[0]}: leave one of them out')
    wanted = [header.index(column) for column in columns]
    last = max(wanted)
    number = 0
    for number, row in rows:
        if len(row) <= last:
            short = [column for column, place in zip(columns, wanted) if place >= len(row)]
            raise ValueError(f'{path} line {number} lacks a value of {", ".join(short)}')
        yield number, [row[place] for place in wanted]
    if not number:
        raise ValueError(f'{path} holds a header and no rows: nothing is in it')


def _unclosed(path: str | os.PathLike, number: int) -> str:
    return f'{path} line {number} opens a quote that is not closed: is the file whole?'
