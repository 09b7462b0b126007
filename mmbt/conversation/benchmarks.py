"""The benchmarks of conversation, step by step: what ``mmbt converse`` does."""
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.config import Config
from tqdm import tqdm

from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable

from .answers import answer_questions
from .chat import init_dialogue
from .exact_match import exact_match
from .judge import (
    METRICS,
    PROMPTS,
    Judge,
    judge_answers,
    load_prompts,
    read_answers,
    result_path,
    summarize,
    write_json,
)
from .questions import Question, find_question_videos, read_questions
from .report import read_run, write_report

FEW = 5


class Benchmark(NamedTuple):
    """Questions, where their videos are, and which are missing."""

    questions: list[Question]
    paths: dict[str, str]
    missing: list[str]


def find_benchmark(questions: str, videos: str, out: str, answers: str | None = None,
                   form: str | None = None, mapping: str | None = None,
                   skip_missing: bool = False) -> Benchmark:
    """Read a published file of questions and find their videos.

    Args:
        questions: The file.
        videos: Folder of the videos, files or folders of frames.
        out: Where the answers are to go; what is missing is named beside it.
        answers: The answers, where they are a file of their own.
        form: The file's form, where its keys do not tell.
        mapping: MSVD's ``youtube_mapping.txt``.
        skip_missing: Go on where some videos are missing.

    Raises:
        FileNotFoundError: If videos are missing.
    """
    read = read_questions(questions, answers, form)
    paths, missing = find_question_videos(read, videos, mapping)
    tell_missing(missing, len(missing) + len(paths), videos, out, skip_missing)
    return Benchmark(read, paths, missing)


def tell_missing(missing: list[str], total: int, videos: str, out: str, skip: bool) -> None:
    """Name the videos that are missing, and stop unless they are to be skipped."""
    path = f'{out}.missing.txt'
    if not missing:
        Path(path).unlink(missing_ok=True)  # of an earlier run
        return
    with whole_file(path) as draft:
        draft.write_text(''.join(f'{printable(video)}\n' for video in missing), encoding='utf-8')
    more = ', ...' if len(missing) > FEW else ''
    said = (f'{len(missing):,} of {total:,} videos are not in {videos}, all named in {path}: '
            f'{", ".join(map(printable, missing[:FEW]))}{more}')
    if not skip or len(missing) == total:
        raise FileNotFoundError(f'{said}; put them there, or answer the others with '
                                '--skip-missing')
    print(said, file=sys.stderr)


def answer_benchmark(config: Config, benchmark: Benchmark, out: str, branch: str | None = None,
                     batch_size: int = 8, seed: int = 0,
                     device: str = 'cpu') -> tuple[int, dict[str, str]]:
    """Answer the questions of a benchmark; one that was cut short goes on.

    Args:
        config: One of configs/dialogue/.
        benchmark: What :func:`find_benchmark` found.
        out: The file to write.
        branch: A branch file in the place of the config's.
        batch_size: Questions about one video at a time.
        seed: Of sampled answers.
        device: Where the model goes.

    Returns:
        How many questions have no answer, and the videos that are missing or cannot be read, each
        with the reason.
    """
    questions, paths, missing = benchmark
    torch.manual_seed(seed)  # what no file fills is the same when this goes on
    model = init_dialogue(config, branch, device)
    with tqdm(desc='answered', unit='video', total=len(paths) + len(missing)) as bar:
        failed = answer_questions(model, questions, paths, out, batch_size, seed,
                                  lambda done, total: bar.update(done - bar.n))
    left = sum(question.video in failed for question in questions)
    print(f'{out}: {len(questions) - left:,} of {len(questions):,} questions answered')
    for video, why in failed.items():
        print(printable(f'  {video}: {why}'), file=sys.stderr)
    return left, failed


def judge_benchmark(path: str, metrics: Sequence[str], prompts_file: str | None, threads: int,
                    build_judge: Callable[[], Judge]) -> int:
    """Have answers judged, metric by metric; the results lie beside them.

    Args:
        path: What :func:`answer_benchmark` wrote.
        metrics: Names of :data:`METRICS`.
        prompts_file: Prompts in the place of ours.
        threads: Requests at a time.
        build_judge: Makes the judge, once everything has been read.

    Returns:
        How many answers are missing or could not be judged, and are in no mean.
    """
    prompts = load_prompts(prompts_file) if prompts_file else PROMPTS
    answers = {name: read_answers(path, METRICS[name]) for name in metrics}
    judge = build_judge()
    return sum(judge_one(name, path, answers[name], judge, prompts, prompts_file, threads)
               for name in answers)


def judge_one(name: str, path: str, answers: list, asked: Judge, prompts: dict,
              prompts_file: str | None, threads: int) -> int:
    """Have answers judged by one metric; return how many were not."""
    out, prompt = result_path(path, name), prompts[METRICS[name].prompt]
    with tqdm(desc=name, unit='answer', total=sum(bool(each.fields) for each in answers)) as bar:
        results = judge_answers(answers, name, asked, out, prompt, threads,
                                lambda done, total: bar.update(done - bar.n))
    made_by = dict(asked.settings, prompts=prompts_file or 'mmbt', answers=Path(path).name)
    summary = summarize(name, answers, results, made_by)
    write_json(summary, out)
    print(f'{out}: {said(summary)}')
    for failure in summary['failures']:
        print(printable(f"  {failure['name']}: {failure['why']}"), file=sys.stderr)
    return summary['failed'] + summary['unanswered']


def said(summary: dict) -> str:
    """A result on one line."""
    counts = (f"{summary['judged']:,} of {summary['questions']:,} judged, {summary['failed']:,} "
              f"failed, {summary['unanswered']:,} unanswered")
    if not summary['judged']:
        return counts
    right = f"accuracy {summary['accuracy']:.1f}, " if 'accuracy' in summary else ''
    return (f"{summary['metric']} {right}score {summary['score_int']:.2f} "
            f"(of fractions {summary['score']:.2f}); {counts}")


def exact_benchmark(path: str, metric: str) -> str:
    """Accuracy by words, written beside the answers; return a line that tells it."""
    answers = read_answers(path, METRICS[metric])
    given = [each.fields for each in answers if each.fields]
    scores = exact_match([each['answer'] for each in given],
                         [each['prediction'] for each in given])
    out = result_path(path, f'{metric}.exact')
    write_json(dict(metric=metric, **scores, questions=len(answers),
                    unanswered=len(answers) - len(given)), out)
    return (f"{out}: by words alone, not the paper's accuracy: equal {scores['equal']:.1f}, "
            f"contained {scores['contained']:.1f} of {len(given):,} answers")


def write_prompts(out: str) -> None:
    """Write our prompts, to be changed.

    Raises:
        ValueError: If there is such a file.
    """
    if Path(out).exists():
        raise ValueError(f'{out} is there already; name another file')
    write_json({name: prompt._asdict() for name, prompt in PROMPTS.items()}, out)


def report_runs(folders: Sequence[str], out: str) -> list[Path]:
    """Write the report of several runs beside the paper's numbers; return its files."""
    return list(write_report({name: read_run(folder) for name, folder in names_of(folders)}, out))


def names_of(folders: Sequence[str]) -> list[tuple[str, str]]:
    """Runs by the names of their folders; by their paths where two have one name."""
    names = [Path(folder).resolve().name for folder in folders]
    return list(zip(names if len(set(names)) == len(names) else folders, folders))
