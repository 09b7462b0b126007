"""Read a pickle of plain data: a pickle can call any function, this reader lets it call none."""
import os
from io import BytesIO
from typing import Any

from mmbt.files.checkpoint_values import check_plain, plain_dict, plain_set
from mmbt.files.plain_unpickler import Named, PlainUnpickler, Refused
from mmbt.files.safe_load import first_line
from mmbt.files.text import must_be_file

MOST_BYTES, OPERATIONS, VALUES = 2**29, 50_000_000, 20_000_000


def _list(items: Any = ()) -> list:
    return list(_plain_items(items))


def _tuple(items: Any = ()) -> tuple:
    return tuple(_plain_items(items))


def _frozenset(items: Any = ()) -> frozenset:
    return frozenset(plain_set(items))


def _plain_items(items: Any) -> Any:
    """A list or tuple, of which another is made."""
    if type(items) not in (list, tuple):
        raise Refused('a list of something else than a list')
    return items


# Python's own containers, under the names of Python 3; those of Python 2 are led to them.
NAMES = {f'builtins.{name}': Named(f'builtins.{name}', call=call) for name, call in (
    ('set', plain_set), ('frozenset', _frozenset), ('list', _list), ('dict', plain_dict),
    ('tuple', _tuple))}


def load_plain_pickle(path: str) -> Any:
    """Return what a pickle holds if that is containers, texts and numbers alone.

    Args:
        path: The file; written by Python 2 or 3.

    Returns:
        Its content.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no pickle, asks for a class or function, or is larger than any such
            file.
    """
    must_be_file(path, 'annotation file')
    with open(path, 'rb') as file:
        if os.fstat(file.fileno()).st_size > MOST_BYTES:
            raise ValueError(f'{path} has more than {MOST_BYTES:,} bytes, as no annotation file')
        data = file.read(MOST_BYTES)
    try:
        content = PlainUnpickler(BytesIO(data), NAMES, OPERATIONS).load()
        check_plain(content, VALUES)
    except Exception as error:  # pickle raises a dozen kinds for a damaged file
        reason = first_line(error)
        if isinstance(error, Refused) and reason.startswith('GLOBAL '):
            raise ValueError(f'{path} is refused, it asks for {reason[7:]}: only containers, texts '
                             'and numbers are read') from None
        raise ValueError(f'{path} cannot be read as a pickle ({reason}): is it one, and '
                         'whole?') from None
    return content
