"""Means of verdicts, and what they stand for."""
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmbt.files.atomic import whole_file

from .judging import Answered, Judged
from .metrics import METRICS


def summarize(metric: str, answers: Sequence[Answered], results: Sequence[Judged],
              made_by: dict[str, Any]) -> dict[str, Any]:
    """What the judge says of a file of answers.

    Means are over what was judged alone: neither failures nor unanswered questions count as 0.

    Args:
        metric: One of :data:`METRICS`.
        answers: What was to be judged.
        results: What became of it, in the same order.
        made_by: What the verdicts depend on.

    Returns:
        ``score_int``, the mean of int(score), which is what was published, and ``score``, that of
        the scores as they are; with QA ``accuracy``, 100 yes / (yes + no). They are None where
        nothing was judged. Counts beside them, and the failures.
    """
    verdicts = [result.verdict for result in results if result.verdict is not None]
    summary: dict[str, Any] = dict(metric=metric, **made_by)
    if METRICS[metric].is_qa:
        right = [bool(verdict.right) for verdict in verdicts]
        summary.update(accuracy=mean([100 * each for each in right]), yes=sum(right),
                       no=len(right) - sum(right))
    summary.update(
        score_int=mean([int(verdict.score) for verdict in verdicts]),
        score=mean([verdict.score for verdict in verdicts]),
        questions=len(answers), judged=len(verdicts),
        unanswered=sum(each.fields is None for each in answers),
        failed=sum(result.failure is not None for result in results),
        failures=[dict(place=place, name=each.name, why=result.failure)
                  for place, (each, result) in enumerate(zip(answers, results))
                  if result.failure is not None])
    return summary


def mean(values: list[float]) -> float | None:
    """The mean; None of nothing."""
    return sum(values) / len(values) if values else None


def write_json(content: Any, path: str | Path) -> None:
    """Write JSON, whole or not at all."""
    with whole_file(path) as draft:
        draft.write_text(json.dumps(content, indent=1) + '\n')


def result_path(answers: str | Path, kind: str) -> Path:
    """Where results stand: ``general.json`` -> ``general.correctness.json``."""
    path = Path(answers)
    return path.with_name(f'{path.stem}.{kind}.json')
