"""Judge the answers of a file: side by side, kept one by one, gone on with after a kill."""
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from mmbt.files.append_log import Journal
from mmbt.files.json_text import read_json
from mmbt.files.text import shorten

from .client import Judge, JudgeError
from .metrics import METRICS, Metric
from .prompts import PROMPTS, Prompt
from .replies import Verdict

FAILURES_IN_A_ROW = 20
"""So many failures with no verdict between them end a run: the judge is gone, or cannot grade."""


LONGEST_NAME = 200


class Answered(NamedTuple):
    """An entry of a file of answers.

    Attributes:
        name: The entry's id or video, for reports.
        fields: What the prompt is filled with; None where the question has no answer.
    """

    name: str
    fields: dict[str, str] | None


class Judged(NamedTuple):
    """What became of one entry: a verdict, or why there is none, or neither (unanswered)."""

    verdict: Verdict | None = None
    failure: str | None = None


def read_answers(path: str | Path, metric: Metric) -> list[Answered]:
    """Read a file of answers in its published form.

    An entry without a prediction, or with an ``error`` in its place, has not been answered.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is not of the metric's form.
    """
    entries = read_json(path, list, 'file of answers')
    if not entries:
        raise ValueError(f'{path} holds no answers')
    answered = []
    for place, entry in enumerate(entries):
        named = entry if isinstance(entry, dict) else {}
        fields = {field: as_text(named.get(key)) for field, key in metric.keys.items()}
        wrong = [key for field, key in metric.keys.items() if not isinstance(fields[field], str)
                 and not (key in metric.predictions and 'error' in named)]
        if wrong:
            raise ValueError(f'{path} entry {place} has no text {wrong[0]!r}: {metric.label} '
                             f'judges answers to {metric.questions} questions, with the keys '
                             f'{", ".join(metric.keys.values())}')
        name = named.get('id', named.get('video_name', place))
        name = str(name) if isinstance(name, int) else shorten(name, LONGEST_NAME).strip('\'"')
        answered.append(Answered(name, None if 'error' in named else fields))
    return answered


def as_text(value: Any) -> Any:
    """A number as text, as right answers may be; anything else as it is."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if is_number and math.isfinite(value) else value


def judge_answers(answers: Sequence[Answered], metric: str, judge: Judge, out: str | Path,
                  prompt: Prompt | None = None, threads: int = 8,
                  progress: Callable[[int, int], Any] | None = None) -> list[Judged]:
    """Judge every answer, or go on where an earlier call was cut short.

    What is judged is kept in ``out.journal`` as it comes; a verdict counts only for the words that
    it was given for. Failures are tried again by the next call.

    Args:
        answers: From :func:`read_answers`.
        metric: One of :data:`METRICS`.
        judge: The judge.
        out: The results' file, which the journal is named after.
        prompt: In the place of ours.
        threads: Requests under way at a time.
        progress: Called with how many of how many have been judged or failed.

    Returns:
        What became of each answer, in their order.

    Raises:
        ValueError: If the judge refuses all requests or fails :data:`FAILURES_IN_A_ROW` times in a
            row, or the journal is of another judge or prompt.
    """
    if threads < 1:
        raise ValueError(f'threads must be at least 1, got {threads}')
    prompt = prompt or PROMPTS[METRICS[metric].prompt]
    asked = {place: prompt.messages(each.fields) for place, each in enumerate(answers)
             if each.fields is not None}
    results = [Judged() for _ in answers]
    made_by = dict(judge.settings, metric=metric, prompt=prompt.digest())
    with Journal(f'{out}.journal', made_by) as journal:
        for place, verdict in _known_verdicts(journal.records, asked):
            results[place] = Judged(verdict)
        todo = {place: asked[place] for place in asked if results[place].verdict is None}
        done = len(asked) - len(todo)
        is_qa = METRICS[metric].is_qa
        for place, judged, reply in _judge_side_by_side(judge, todo, is_qa, threads):
            results[place] = judged
            if judged.verdict is not None:
                journal.append(dict(place=place, words=_digest_of(asked[place]), reply=reply,
                                    score=judged.verdict.score, right=judged.verdict.right))
            done += 1
            if progress is not None:
                progress(done, len(asked))
    return results


def _known_verdicts(records: Sequence[dict],
                    asked: dict[int, list[dict]]) -> list[tuple[int, Verdict]]:
    """Those of a journal that were given for the words that are asked about now."""
    return [(record['place'], Verdict(record['score'], record['right'])) for record in records
            if record['place'] in asked and record['words'] == _digest_of(asked[record['place']])]


def _judge_side_by_side(judge: Judge, todo: dict[int, list[dict]], is_qa: bool,
                        threads: int) -> Iterator[tuple[int, Judged, str]]:
    """Each place, what became of it and the reply, as they come; see :func:`judge_answers`."""
    failures = 0
    waiting = iter(todo.items())
    under_way: dict[Future, int] = {}
    pool = ThreadPoolExecutor(threads)

    def begin(count: int) -> None:
        for place, messages in islice(waiting, count):
            under_way[pool.submit(judge.ask, messages, is_qa)] = place

    try:
        begin(threads)
        while under_way:
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                place = under_way.pop(future)
                try:
                    verdict, reply = future.result()
                    judged, failures = Judged(verdict), 0
                except JudgeError as error:
                    judged, reply, failures = Judged(failure=str(error)), '', failures + 1
                if failures == FAILURES_IN_A_ROW:
                    raise ValueError(f'the judge failed {failures} times in a row, the last time '
                                     f'with: {judged.failure}; what is judged is kept, run this '
                                     'again to go on')
                yield place, judged, reply
                begin(1)
        pool.shutdown()
    except BaseException:  # nobody waits for those under way
        judge.interrupt()
        pool.shutdown(wait=False)
        raise


def _digest_of(messages: list[dict[str, str]]) -> str:
    """A hash of what was asked."""
    return hashlib.sha256(json.dumps(messages).encode()).hexdigest()[:16]
