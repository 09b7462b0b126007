"""mmbt: Branching Temporal Adapter for MMAction2. Importing it registers every component."""
from importlib import import_module
from typing import Any

from . import compat
from .version import __version__

compat.apply()

from . import conversation, datasets, engine, evaluation, models  # noqa: E402,F401

__all__ = ['__version__', 'load']


def __getattr__(name: str) -> Any:
    """``mmbt.load``, whose room is imported at its first use."""
    if name != 'load':
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return import_module('.search.load', __name__).load

