"""States of a frozen trunk on disk: their form, and reading them."""
from .layout import DTYPES, StatesForm
from .reader import StatesReader

__all__ = ['DTYPES', 'StatesForm', 'StatesReader']
