"""Questions about videos and their answers, in the forms that benchmarks are published in.

- general and temporal understanding of the VideoChatGPT benchmark: ``[{video_name, Q, A}, ...]``
- its consistency: ``[{video_name, Q1, Q2, A}, ...]``, two questions with one answer
- MSVD-QA, MSRVTT-QA and others: ``[{video or video_name, id or question_id, question, answer}]``
- ActivityNet-QA: the same in two files, the answers in the questions' order; the videos' files are
  called ``v_`` and the name

https://github.com/mbzuai-oryx/Video-ChatGPT, https://github.com/MILVLG/activitynet-qa
"""
import hashlib
import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mmbt.datasets.annotations import load_json
from mmbt.datasets.preparation.finding import VideoFinder
from mmbt.datasets.video_files import read_mapping, without_suffix
from mmbt.files.text import shorten

_YOUTUBE = r'[\w-]{11}'
_NUMBERED = dict(msrvtt='video{}', msvd='vid{}')  # where the video is a number, video_id


class Question(NamedTuple):
    """An entry of a set.

    Attributes:
        video: The set's own name of the video.
        asked: The question, or the two of a consistency entry.
        answer: The right answer.
        entry: What is published of it, to which the model's answers are added.
    """

    video: str
    asked: tuple[str, ...]
    answer: str
    entry: dict


def _general(entry: dict, answer: dict | None, form: str) -> Question:
    return Question(_text(entry, 'video_name'), (_text(entry, 'Q'), ), _text(entry, 'A'), entry)


def _consistency(entry: dict, answer: dict | None, form: str) -> Question:
    return Question(_text(entry, 'video_name'), (_text(entry, 'Q1'), _text(entry, 'Q2')),
                    _text(entry, 'A'), entry)


def _qa(entry: dict, answer: dict | None, form: str) -> Question:
    number = entry.get('id', entry.get('question_id'))
    if not isinstance(number, (str, int)) or isinstance(number, bool):
        raise ValueError("'id' or 'question_id' is missing")
    question, right = _text(entry, 'question'), _text(entry if answer is None else answer, 'answer')
    if answer is not None:
        theirs = answer.get('question_id', answer.get('id', number))
        if theirs != number:
            raise ValueError(f'question {shorten(number)} stands where the answers have '
                             f'{shorten(theirs)}')
    return Question(_video(entry, form), (question, ), right,
                    dict(id=number, question=question, answer=right))


FORMS = dict(general=_general, consistency=_consistency, qa=_qa, msrvtt=_qa, msvd=_qa)


def read_questions(path: str, answers: str | None = None,
                   form: str | None = None) -> list[Question]:
    """Read a set of questions.

    Args:
        path: The questions, JSON.
        answers: The answers, where they are a file of their own.
        form: 'general' (temporal understanding has it too), 'consistency' or 'qa'; 'msrvtt' and
            'msvd' are 'qa' whose videos may be numbers, ``video_id`` 7010 being ``video7010`` and
            ``vid7010``. None tells the first three by the keys.

    Returns:
        In the file's order.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If it has not the form, or questions and answers do not fit together.
    """
    entries = load_json(path, list)
    form = form or _guess(path, entries[0])
    if form not in FORMS:
        raise ValueError(f'form: no form of questions {form!r}, choose one of {", ".join(FORMS)}')
    if answers is not None and FORMS[form] is not _qa:
        raise ValueError(f'a set of the form {form!r} holds its answers; leave out {answers}')
    rights = [None] * len(entries) if answers is None else load_json(answers, list)
    if len(rights) != len(entries):
        raise ValueError(f'{path} has {len(entries):,} questions and {answers} {len(rights):,} '
                         'answers: are they of one split?')
    questions = []
    for place, (entry, right) in enumerate(zip(entries, rights)):
        try:
            if not isinstance(entry, dict) or not isinstance(
                    right, type(None) if answers is None else dict):
                raise ValueError('no JSON object')
            questions.append(FORMS[form](entry, right, form))
        except ValueError as error:
            raise ValueError(f'{path} entry {place} is not of the form {form!r}: '
                             f'{error}') from None
    return questions


def find_question_videos(questions: Iterable[Question], folder: str,
                         mapping: str | None = None) -> tuple[dict[str, str], list[str]]:
    """Look for the videos of a set.

    A name may lack a suffix, and the ``v_`` of ActivityNet, or have them where the file has not.

    Args:
        questions: The set.
        folder: The videos, files or folders of frames, with subfolders.
        mapping: MSVD's ``youtube_mapping.txt``, where the set says ``vid7`` and the files have
            YouTube's names, or the other way round.

    Returns:
        Name of a video -> path, and the names of those that are not there.

    Raises:
        FileNotFoundError: If the folder or the mapping is missing.
        ValueError: If several files could be a video.
    """
    mapped = read_mapping(mapping) if mapping else lambda video: []
    finder = VideoFinder(folder, aliases=lambda video: [*_activitynet(video), *mapped(video)])
    found = {question.video: '' for question in questions}
    for video in found:
        path = finder.find(video)
        found[video] = f'{folder}/{path}' if path else ''
    return ({video: path for video, path in found.items() if path},
            [video for video, path in found.items() if not path])


def hash_questions(questions: Sequence[Question]) -> str:
    """A hash of a set."""
    return hashlib.sha256(json.dumps(questions).encode()).hexdigest()


def _guess(path: str, entry: object) -> str:
    keys = set(entry) if isinstance(entry, dict) else set()
    for form, needed in (('consistency', 'Q1'), ('general', 'Q'), ('qa', 'question')):
        if needed in keys:
            return form
    raise ValueError(f"{path} holds no questions: an entry has 'Q', 'Q1' and 'Q2', or 'question', "
                     f'the first has {", ".join(sorted(map(shorten, keys))[:9]) or "no keys"}')


def _text(entry: dict, key: str) -> str:
    """A text that is not empty; a number as text."""
    value = entry.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value) if math.isfinite(value) else None
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f'{key!r} must be text, got {shorten(entry.get(key))}')
    return value


def _video(entry: dict, form: str) -> str:
    for key in ('video', 'video_name', 'video_id'):
        value = entry.get(key)
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if is_number and form in _NUMBERED:
            return _NUMBERED[form].format(value)
        if is_number:
            raise ValueError(f'{key!r} is the number {value}: name the form, '
                             f'{" or ".join(_NUMBERED)}, which says what its file is called')
        if value is not None:
            return _text(entry, key)
    raise ValueError("'video' or 'video_name' is missing")


def _activitynet(video: str) -> list[str]:
    """The name of an ActivityNet video with ``v_``, and without."""
    stem = without_suffix(video)
    if re.fullmatch(_YOUTUBE, stem):
        return [f'v_{stem}']
    return [stem[2:]] if re.fullmatch(f'v_{_YOUTUBE}', stem) else []
