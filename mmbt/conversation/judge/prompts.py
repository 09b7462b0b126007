"""How the judge is asked.

The wording is this project's own. It tells the judge the same as the published prompts do: its
role, the metric, the question, the right answer and the model's, and the form of the reply. A judge
may answer other words otherwise, so that numbers of different prompts are not comparable; those of
the paper need the published prompts, which :func:`load_prompts` reads from a file.
"""
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mmbt.files.json_text import read_json
from mmbt.files.text import shorten

MOST_BYTES = 2**22  # of a file of prompts
_FIELD = re.compile(r'\{(question[12]?|answer|prediction[12]?)\}')
_ROLE = ('You grade the answers that a program gives to questions about videos. You do not see the '
         'video: for each question you are given the right answer, written by people who did, and '
         'the answer of the program. ')
_ALLOW = 'Other words for the same thing, and paraphrases, count as the same.'
_OPEN = 'Question: {question}\nRight answer: {answer}\nAnswer of the program: {prediction}\n\n'
_PAIR = ('First question: {question1}\nSecond question: {question2}\nRight answer to both: '
         '{answer}\nAnswer of the program to the first: {prediction1}\nAnswer of the program to '
         'the second: {prediction2}\n\n')
_SCORE = ("Grade {what} from 0 to 5, where 5 is best. Reply with a Python dictionary whose key "
          "'score' has the grade as a number, and with nothing else, for example: "
          "{{'score': 4.8}}")
_VERDICT = ("Decide whether the answer of the program is right, and grade how well it fits as a "
            "whole number from 0 to 5, where 5 is best. Reply with a Python dictionary whose key "
            "'pred' is the string 'yes' or 'no' and whose key 'score' has the grade as a number, "
            "and with nothing else, for example: {'pred': 'yes', 'score': 4}")


class Prompt(NamedTuple):
    """Two messages, in which ``{question}``, ``{answer}`` and so on are filled in."""

    system: str
    user: str

    def messages(self, fields: Mapping[str, str]) -> list[dict[str, str]]:
        """The messages for one answer, as chat completions take them."""
        def fill(text: str) -> str:
            return _FIELD.sub(lambda field: fields[field[1]], text)
        return [dict(role='system', content=fill(self.system)),
                dict(role='user', content=fill(self.user))]

    def fields(self) -> tuple[str, ...]:
        """What is filled in."""
        return tuple(sorted(set(_FIELD.findall(self.system + self.user))))

    def digest(self) -> str:
        """A hash of the words."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()


def _graded(what: str, how: str, user: str = _OPEN) -> Prompt:
    return Prompt(f'{_ROLE}Judge one thing alone: {how} {_ALLOW}', user + _SCORE.format(what=what))


PROMPTS: dict[str, Prompt] = {
    'correctness': _graded(
        'the correctness of information',
        'whether what the program says is true. Every fact that it states must agree with the '
        'right answer; statements that contradict it, mislead or misread the video lower the '
        'grade.'),
    'detail': _graded(
        'the orientation to detail',
        'how much detail the program gives. Its answer must cover every major point of the right '
        'answer, and be specific where that is, with facts in the place of generalities.'),
    'context': _graded(
        'the understanding of context',
        'whether the program has understood what the video is about. Its answer must fit the '
        'overall situation and the theme that the right answer speaks of, and not miss or mistake '
        'them.'),
    'temporal': _graded(
        'the understanding of time',
        'whether the program has understood the order in time. The sequence of events in its '
        'answer must be that of the right answer: what comes first, what follows, and when.'),
    'consistency': _graded(
        'the consistency',
        'whether the program is consistent. It was asked two questions that have the same answer; '
        'what it says to the one must agree with what it says to the other, and both with the '
        'right answer, without contradictions or notable differences.', _PAIR),
    'qa': Prompt(
        f'{_ROLE}Judge whether the answer of the program means the same as the right answer. '
        f'{_ALLOW}', _OPEN + _VERDICT),
}


def load_prompts(path: str | Path) -> dict[str, Prompt]:
    """Read prompts in the place of ours: ``{"correctness": {"system": ..., "user": ...}, ...}``.

    Those that a file leaves out are ours. Fields as ours have are filled in; other braces stand
    for themselves.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it has not the form, or a prompt leaves out a field.
    """
    content = read_json(path, dict, 'file of prompts', most=MOST_BYTES)
    try:
        theirs = {name: Prompt(each['system'], each['user']) for name, each in content.items()}
        fields = {name: prompt.fields() for name, prompt in theirs.items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f'{path} must hold a JSON object of prompts, each with the texts '
                         "'system' and 'user'") from None
    for name, found in fields.items():
        if name not in PROMPTS:
            raise ValueError(f'{path}: no prompt {shorten(name)}, they are {", ".join(PROMPTS)}')
        if found != PROMPTS[name].fields():
            raise ValueError(f'{path}: the prompt {name!r} must have the fields '
                             f'{_as_fields(PROMPTS[name].fields())}, it has {_as_fields(found)}')
    return {**PROMPTS, **theirs}


def _as_fields(names: tuple[str, ...]) -> str:
    """Names of fields as they stand in a prompt."""
    return ', '.join(f'{{{name}}}' for name in names) or 'none'
