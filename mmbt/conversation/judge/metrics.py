"""What a language model is asked to judge, by the names that results and reports have."""
from typing import NamedTuple


class Metric(NamedTuple):
    """One metric of the VideoChatGPT evaluation (Tables 3 and 4).

    Attributes:
        label: Its name in the paper.
        prompt: The prompt that it is judged with, see :mod:`.prompts`.
        questions: The set that is answered for it.
        keys: Those of an answered entry: a field of the prompt -> the entry's key.
    """

    label: str
    prompt: str
    questions: str
    keys: dict[str, str]

    @property
    def is_qa(self) -> bool:
        """Whether an answer is right or wrong, besides its score."""
        return self.prompt == 'qa'

    @property
    def predictions(self) -> tuple[str, ...]:
        """The keys that an entry gets by being answered."""
        return tuple(key for key in self.keys.values() if key.startswith('pred'))


_OPEN = dict(question='Q', answer='A', prediction='pred')
_PAIR = dict(question1='Q1', question2='Q2', answer='A', prediction1='pred1', prediction2='pred2')
_QA = dict(question='question', answer='answer', prediction='pred')

METRICS: dict[str, Metric] = {
    'temporal': Metric('Temporal Understanding', 'temporal', 'temporal', _OPEN),
    'correctness': Metric('Correctness of Information', 'correctness', 'general', _OPEN),
    'detail': Metric('Detail Orientation', 'detail', 'general', _OPEN),
    'context': Metric('Contextual Understanding', 'context', 'general', _OPEN),
    'consistency': Metric('Consistency', 'consistency', 'consistency', _PAIR),
    'msvd_qa': Metric('MSVD-QA', 'qa', 'MSVD-QA', _QA),
    'msrvtt_qa': Metric('MSRVTT-QA', 'qa', 'MSRVTT-QA', _QA),
    'activitynet_qa': Metric('ActivityNet-QA', 'qa', 'ActivityNet-QA', _QA),
}
GENERATIVE = tuple(name for name, metric in METRICS.items() if not metric.is_qa)
"""The five metrics of Table 3, in its order."""

QA = tuple(name for name, metric in METRICS.items() if metric.is_qa)
"""The sets of Table 4, in its order."""
