"""The paper's comparisons and ablations, run row by row and set beside the paper's numbers."""
from .summary import Result, summarize
from .tables import TABLES, Row, Table
from .worlds import WORLDS, Column, World

__all__ = ['Column', 'Result', 'Row', 'TABLES', 'Table', 'WORLDS', 'World', 'summarize']
