"""The numbers of a test: what they are called, their unit, and what guessing scores."""
import math
from collections.abc import Sequence
from dataclasses import dataclass

_MOST_DIGITS = 12
MODELS = {'bt_adapter': 'BT-Adapter', 'frame_mean': 'Frame-mean CLIP'}


def apart(values: Sequence[float], digits: int) -> list[str]:
    """Numbers with as many digits behind the point as tell all that differ apart.

    Args:
        values: Finite numbers.
        digits: At least so many.
    """
    different = len({float(value) for value in values})
    for count in range(digits, _MOST_DIGITS + 1):
        texts = [f'{value:.{count}f}' for value in map(float, values)]
        if len(set(texts)) >= different:
            break
    return [text.replace('-', '−') for text in texts]


@dataclass(frozen=True)
class Score:
    """One number of the test.

    Attributes:
        key: Its name among the metrics.
        label: Its name for readers.
        unit: '%', or 'rank' where lower is better.
        scale: What to multiply the metric with to have it in ``unit``.
        places: How many of the best candidates count, for recall and accuracy; 0 for others.
    """

    key: str
    label: str
    unit: str = '%'
    scale: float = 1.0
    places: int = 0

    def shown(self, metrics: dict) -> float:
        """Return the number of a run in ``unit``."""
        return metrics[self.key] * self.scale

    def chance(self, videos: int, classes: int) -> float:
        """Return what guessing scores on average, in ``unit``."""
        if self.unit == 'rank':
            return (videos + 1) / 2
        if self.key.startswith('pairs/'):
            return 50.0
        candidates = classes if self.key.startswith('acc/') else videos
        return 100 * min(1.0, self.places / candidates)


def _retrieval(short: str, long: str) -> list[Score]:
    recalls = [Score(f'retrieval/{short}_R{k}', f'{long}, R@{k}', places=k) for k in (1, 5, 10)]
    return recalls + [Score(f'retrieval/{short}_MdR', f'{long}, median rank', 'rank'),
                      Score(f'retrieval/{short}_MnR', f'{long}, mean rank', 'rank')]


SCORES = [
    *_retrieval('t2v', 'Text to video'),
    *_retrieval('v2t', 'Video to text'),
    Score('acc/top1', 'Recognition, top-1', scale=100, places=1),
    Score('acc/top5', 'Recognition, top-5', scale=100, places=5),
    Score('pairs/acc', 'Time-order pairs'),
    Score('pairs/t2v_acc', 'Time-order pairs, text to video'),
    Score('pairs/v2t_acc', 'Time-order pairs, video to text'),
]
"""All numbers, in the order of the page. MMAction2 gives recognition as a fraction."""

_HEADLINES = ('retrieval/t2v_R1', 'retrieval/v2t_R1', 'acc/top1', 'pairs/acc')
HEADLINES = [score for score in SCORES if score.key in _HEADLINES]
"""The numbers that the bars show."""


def check_metrics(runs: dict) -> None:
    """Raise a ValueError if a model or a headline number is missing, or a number not finite."""
    for model, name in MODELS.items():
        if model not in runs:
            raise ValueError(f'runs has no {model!r}, the test of {name}')
        missing = [key for key in _HEADLINES if key not in runs[model]['metrics']]
        if missing:
            raise ValueError(f'the metrics of {model!r} lack {", ".join(missing)}')
        for key, value in runs[model]['metrics'].items():
            if value is None or not math.isfinite(value):
                raise ValueError(f'the metric {key!r} of {model!r} is {value}')
