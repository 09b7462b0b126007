"""Read a pickle of plain data: a pickle can call any function, this reader lets it call none."""
import pickle
from typing import Any

_CONTAINERS = {'set': set, 'frozenset': frozenset, 'list': list, 'dict': dict, 'tuple': tuple}

# What unpickling raises for files that are cut short or no pickles at all.
_UNREADABLE = (EOFError, LookupError, AttributeError, TypeError, ValueError, OverflowError,
               ImportError, MemoryError)


class _PlainUnpickler(pickle.Unpickler):
    """Knows Python's own containers, under their names in Python 2 and 3, and nothing else."""

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
    with open(path, 'rb') as file:
        try:
            return _PlainUnpickler(file, encoding='utf-8').load()
        except pickle.UnpicklingError as error:
            raise ValueError(f'{path} is refused, it {error}: only containers, texts and numbers '
                             'are read' if str(error).startswith('asks') else
                             f'{path} cannot be read as a pickle: {error}') from None
        except _UNREADABLE as error:
            raise ValueError(f'{path} cannot be read as a pickle ({type(error).__name__}): is it '
                             'one, and whole?') from None
