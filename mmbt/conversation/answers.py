"""Answer the questions of a benchmark about its videos."""
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from torch import Tensor

from mmbt.datasets import VideoReadError
from mmbt.files.append_log import Journal
from mmbt.files.atomic import whole_file
from mmbt.models.checkpoints.model_hash import hash_model

from .chat import encode_frames, read_video
from .models import Template, VideoDialogue
from .questions import Question, hash_questions

PREDICTIONS = (('pred', ), ('pred1', 'pred2'))  # by how many questions an entry has


def answer_questions(model: VideoDialogue, questions: Sequence[Question],
                     paths: Mapping[str, str], out: str | Path, batch_size: int = 8,
                     seed: int = 0,
                     progress: Callable[[int, int], Any] | None = None) -> dict[str, str]:
    """Answer a set of questions, each by itself, and write the answers in their published form.

    A video is read and encoded once for all of its questions. What is answered is kept in
    ``out.journal`` video by video, so that the same call goes on where another was cut short.
    Random numbers depend on seed and video alone, and so not on where that was.

    ``out`` is written at the end: the entries in their order with ``pred``, or ``pred1`` and
    ``pred2``. An entry whose video is missing or cannot be read has an ``error`` instead.

    Args:
        model: From :func:`mmbt.apis.init_dialogue`.
        questions: From :func:`mmbt.conversation.questions.read_questions`.
        paths: Name of a video -> path; those that are missing are left out.
        out: The file to write, JSON.
        batch_size: Questions about one video that are answered at a time.
        seed: Of the random numbers, where answers are sampled.
        progress: Called after each video with how many of how many are done.

    Returns:
        Name of a video -> why its questions have no answers.

    Raises:
        ValueError: If the model's template refuses a question, an argument is not allowed, or
            ``out.journal`` is of another model, another set or another seed.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size must be at least 1, got {batch_size}')
    _check_questions(model, questions)
    groups = _by_video(questions)
    made_by = dict(model=hash_dialogue(model), questions=hash_questions(questions), seed=seed)
    failed = {video: 'the video is missing' for video in groups if video not in paths}
    with Journal(f'{out}.journal', made_by) as journal:
        done = {record['video']: record['answers'] for record in journal.records}
        todo = {video: paths[video] for video in groups if video in paths and video not in done}
        for count, (video, frames) in enumerate(_read_ahead(model, todo), start=1):
            if isinstance(frames, VideoReadError):
                failed[video] = str(frames)
            else:
                texts = [text for question in groups[video] for text in question.asked]
                done[video] = _answer_texts(model, frames, texts, batch_size, f'{seed} {video}')
                journal.append(dict(video=video, answers=done[video]))
            if progress is not None:
                progress(len(groups) - len(todo) + count, len(groups))
        _write_answers(questions, done, failed, out)
    return {video: failed[video] for video in groups if video in failed}


def _check_questions(model: VideoDialogue, questions: Sequence[Question]) -> None:
    """Raise ValueError for a question that the model cannot be asked."""
    for place, question in enumerate(questions):
        for text in question.asked:
            try:
                model.template.prompt(text)
            except ValueError as error:
                raise ValueError(f'question {place}: {error}') from None


def _by_video(questions: Sequence[Question]) -> dict[str, list[Question]]:
    """The questions of each video, in order of first appearance."""
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.video, []).append(question)
    return groups


def _read_ahead(model: VideoDialogue, paths: Mapping[str, str]
                ) -> Iterator[tuple[str, Tensor | VideoReadError]]:
    """Each video's (T, 3, H, W) uint8 frames, or why there are none; the next is prefetched."""
    def read(path: str) -> Tensor | VideoReadError:
        try:
            return read_video(model, path)
        except VideoReadError as error:
            return error

    names = list(paths)
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(read, paths[name]) for name in names[:1]]
        for name, following in zip(names, [*names[1:], None]):
            frames = waiting.pop().result()
            if following is not None:
                waiting.append(pool.submit(read, paths[following]))
            yield name, frames


def _answer_texts(model: VideoDialogue, frames: Tensor, texts: Sequence[str], batch_size: int,
                  seed: str) -> list[str]:
    """Answer questions about one video.

    Args:
        model: The model.
        frames: (T, 3, H, W) uint8.
        texts: The questions.
        batch_size: As many at a time.
        seed: A text that random numbers depend on; the program's own are left as they were.

    Returns:
        As many answers.
    """
    tokens = encode_frames(model, frames)
    devices = [tokens.device] if tokens.device.type == 'cuda' else []
    answers: list[str] = []
    with torch.random.fork_rng(devices):
        torch.manual_seed(int(hashlib.sha256(seed.encode()).hexdigest()[:15], 16))
        for start in range(0, len(texts), batch_size):
            part = texts[start:start + batch_size]
            answers += model.answer(tokens.expand(len(part), -1, -1), part)
    return answers


def _write_answers(questions: Sequence[Question], done: Mapping[str, Sequence[str]],
                   failed: Mapping[str, str], out: str | Path) -> None:
    """Write a set with its answers, whole or not at all.

    Args:
        questions: The set.
        done: Name of a video -> the answers to all of its questions, in order.
        failed: Name of a video -> why it has none.
        out: The file.
    """
    waiting = {video: iter(answers) for video, answers in done.items()}
    entries = []
    for question in questions:
        if question.video in waiting:
            names = PREDICTIONS[len(question.asked) - 1]
            added = {name: next(waiting[question.video]) for name in names}
        else:
            added = dict(error=failed[question.video])
        entries.append({**question.entry, **added})
    with whole_file(out) as draft:
        draft.write_text(json.dumps(entries, indent=1))


def hash_dialogue(model: VideoDialogue) -> str:
    """A hash of all that an answer depends on: weights, settings, template, pipeline."""
    defaults = {name: value for name, value
                in model.language_model.generation_config.to_dict().items()
                if not name.startswith('_') and name != 'transformers_version'}
    built = [model.template, model.generation, defaults, model.pipeline]
    return hash_model(model, model.state_dict(), json.dumps(describe(built), sort_keys=True))


def describe(value: Any) -> Any:
    """What transforms were built with, as JSON: their kinds and values, down to plain ones.

    None is left out: some transforms keep a None, or an object, from when they are first used.
    """
    if isinstance(value, (str, int, float, type(None))):
        return value
    if isinstance(value, (list, tuple)):
        return [describe(each) for each in value]
    if isinstance(value, dict):
        known = {str(name): describe(each) for name, each in value.items()}
        return {name: each for name, each in known.items() if each is not None}
    if not isinstance(value, (BaseTransform, Compose, Template)):
        return None
    return [type(value).__name__, describe(vars(value))]
