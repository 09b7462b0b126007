"""The paper's numbers of video conversation (Tables 3, 4 and 5), as they stand there."""
from typing import NamedTuple

from .metrics import GENERATIVE, METRICS, QA

Cell = tuple[str, str]
"""A metric of :data:`METRICS`, and which of its numbers."""


class Table(NamedTuple):
    """A table of the paper.

    Attributes:
        title: What it is.
        rows: Label -> cell, in the paper's order.
        columns: Method -> its numbers, as many as rows.
        digits: Those behind the point.
        note: What to know of its numbers.
    """

    title: str
    rows: dict[str, Cell]
    columns: dict[str, tuple[float, ...]]
    digits: int = 2
    note: str = ''


TABLE_3 = Table(
    'Generative performance (Table 3)',
    {METRICS[name].label: (name, 'score_int') for name in GENERATIVE},
    {'VideoLLaMA': (1.82, 1.96, 2.18, 2.16, 1.79),
     'LLaMA-Adapter': (1.98, 2.03, 2.32, 2.30, 2.15),
     'VideoChat': (1.94, 2.23, 2.50, 2.53, 2.24),
     'VideoChatGPT': (1.98, 2.40, 2.52, 2.62, 2.37),
     'BT-Adapter (ZS)': (2.13, 2.16, 2.46, 2.89, 2.20),
     'BT-Adapter (FT)': (2.34, 2.68, 2.69, 3.27, 2.46)},
    note='The paper gives BT-Adapter (ZS) a mean of 2.46; its five numbers have the mean 2.37.')

TABLE_4 = Table(
    'Question answering (Table 4)',
    {f'{METRICS[name].label} {label}': (name, number) for name in QA
     for label, number in (('Acc', 'accuracy'), ('Score', 'score_int'))},
    {'VideoLLaMA': (51.6, 2.5, 29.6, 1.8, 12.4, 1.1),
     'LLaMA-Adapter': (54.9, 3.1, 43.8, 2.7, 34.2, 2.7),
     'VideoChat': (56.3, 2.8, 45.0, 2.5, 26.5, 2.2),
     'VideoChatGPT': (64.9, 3.3, 49.3, 2.8, 35.2, 2.7),
     'BT-Adapter (ZS)': (67.0, 3.6, 51.2, 2.9, 46.1, 3.2),
     'BT-Adapter (FT)': (67.5, 3.7, 57.0, 3.2, 45.7, 3.2)},
    digits=1)

TABLE_5 = Table(
    'Other image dialogue models, zero-shot (Table 5)',
    {'Temporal': ('temporal', 'score_int'), 'Correctness': ('correctness', 'score_int')},
    {'LLaVA-Vicuna': (1.78, 2.06), 'LLaVA-Vicuna + BT-Adapter': (2.13, 2.16),
     'MiniGPT4-Vicuna': (1.88, 2.48), 'MiniGPT4-Vicuna + BT-Adapter': (2.56, 2.71),
     'MiniGPT4-LLama2': (1.56, 1.44), 'MiniGPT4-LLama2 + BT-Adapter': (2.15, 1.81)})

TABLES = (TABLE_3, TABLE_4, TABLE_5)
MEANS = {'VideoLLaMA': 1.98, 'LLaMA-Adapter': 2.16, 'VideoChat': 2.29, 'VideoChatGPT': 2.38,
         'BT-Adapter (ZS)': 2.46, 'BT-Adapter (FT)': 2.69}
"""The last row of Table 3."""
