"""mmbt: Branching Temporal Adapter for MMAction2. Importing it registers every component."""
from . import compat
from .version import __version__

compat.apply()

from . import conversation, datasets, engine, evaluation, models  # noqa: E402,F401

__all__ = ['__version__']
