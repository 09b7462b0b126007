"""Read a pickle of plain data: a pickle can call any function, this reader lets it call none."""
import io
import os.path as osp
import pickle
from typing import Any

from mmbt.files.shown import printable
from mmbt.files.text import must_be_file

MOST_BYTES = 2**28
_CONTAINERS = {'set': set, 'frozenset': frozenset, 'list': list, 'dict': dict, 'tuple': tuple}


class _PlainUnpickler(pickle._Unpickler):  # type: ignore[name-defined]
    """Knows Python's own containers, under their names in Python 2 and 3, and nothing else.

    Python's own reader, since C's takes gigabytes where ten bytes ask for them (``LONG_BINPUT``).
    """

    def find_class(self, module: str, name: str) -> type:
        if module in ('builtins', '__builtin__') and name in _CONTAINERS:
            return _CONTAINERS[name]
        raise pickle.UnpicklingError(f'asks for {module}.{name}')

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError('asks for an object outside of it')


def load_plain_pickle(path: str) -> Any:
    """Return what a pickle holds if that is containers, texts and numbers alone.

    Args:
        path (str): The file; written by Python 2 or 3.

    Returns:
        Any: Its content.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is no pickle, or asks for a class or function.
    """
    must_be_file(path, 'annotation file')
    if osp.getsize(path) > MOST_BYTES:
        raise ValueError(f'{path} is larger than the {MOST_BYTES:,} bytes that are read')
    with open(path, 'rb') as file:
        try:
            return _PlainUnpickler(io.BytesIO(file.read()), encoding='utf-8').load()
        except pickle.UnpicklingError as error:
            why = printable(error)
            raise ValueError(f'{path} is refused, it {why}: only containers, texts and numbers are '
                             'read' if why.startswith('asks') else
                             f'{path} cannot be read as a pickle: {why}') from None
        except Exception as error:  # anything, of files that are cut short or no pickles
            raise ValueError(f'{path} cannot be read as a pickle ({type(error).__name__}): is it '
                             'one, and whole?') from None
