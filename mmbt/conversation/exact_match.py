"""Right or wrong by the words of an answer, without a judge.

This is the accuracy of video question answering from before language models: no number of the
paper. A sentence never equals a one-word answer, so two are given: equal, and contained.
"""
import re
import string
import unicodedata
from collections.abc import Sequence

_ARTICLES = re.compile(r'\b(a|an|the)\b')
_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, ' '))


def exact_match(answers: Sequence[str], predictions: Sequence[str]) -> dict[str, float]:
    """Compare answers as words: without case, punctuation and articles.

    Args:
        answers: The right ones.
        predictions: The model's, in the same order.

    Returns:
        ``equal``, the percentage that has the words of the right answer and no others, and
        ``contained``, that in which they stand, side by side and in order.

    Raises:
        ValueError: If there are none, or the numbers of both differ.
    """
    if not answers or len(answers) != len(predictions):
        raise ValueError(f'{len(answers)} answers and {len(predictions)} predictions; there must '
                         'be as many, and one at least')
    pairs = [(normalize(answer), normalize(said)) for answer, said in zip(answers, predictions)]
    equal = sum(answer == said for answer, said in pairs)
    contained = sum(answer == said or bool(answer) and f' {answer} ' in f' {said} '
                    for answer, said in pairs)
    return dict(equal=100 * equal / len(pairs), contained=100 * contained / len(pairs))


def normalize(text: str) -> str:
    """The words of a text in lower case with single spaces, without punctuation and articles."""
    text = unicodedata.normalize('NFKC', text).lower().translate(_PUNCTUATION)
    return ' '.join(_ARTICLES.sub(' ', text).split())
