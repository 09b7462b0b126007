"""Readers of the published caption and class annotations.

Every caption reader takes a file and returns a sequence of
``dict(video=str, captions=[str, ...])``, one entry a video in order of first appearance. Every
problem is a one-line error that names the file and the line, key or video.
"""
import csv
import json
import os.path as osp
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Union

from .compact import CaptionTable

_LSMDC_TIMES = re.compile(r'_\d\d\.\d\d\.\d\d\.\d+-\d\d\.\d\d\.\d\d\.\d+$')
_LSMDC_COLUMNS = 6


def read_text(path: str) -> str:
    """Return the text of an annotation file.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is empty or not UTF-8 text.
    """
    return ''.join(stream_text(path))


def stream_text(path: str) -> Iterator[str]:
    """Yield the lines of an annotation file with their ends; errors as :func:`read_text`'s."""
    if not osp.isfile(path):
        raise FileNotFoundError(f'annotation file {path} is missing: put it there or set ann_file')
    try:
        with open(path, encoding='utf-8-sig', newline='') as file:
            if not any(line.strip() for line in file):
                raise ValueError(f'{path} is empty: fetch the annotation file again')
            file.seek(0)
            yield from file
    except UnicodeDecodeError:
        raise ValueError(f'{path} is not UTF-8 text: is it the annotation file?') from None


def load_json(path: str, kind: Union[type, tuple[type, ...]]) -> Any:
    """Return the content of a JSON file whose top level must be ``kind``: dict, list or both.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is empty, malformed or holds another type.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} line {error.lineno} is not valid JSON: {error.msg}') from None
    if not isinstance(content, kind):
        kinds = ' or '.join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind, )))
        raise ValueError(f'{path} must hold a JSON {kinds} but holds a '
                         f'{type(content).__name__}: check the annotation form')
    if not content:
        raise ValueError(f'{path} holds an empty {type(content).__name__}: nothing is annotated')
    return content


def read_dict(path: str) -> Sequence[dict]:
    """Read ``{"video7020.mp4": ["a caption", ...], ...}``: MMAction2's MSR-VTT, DiDeMo."""
    return _group(path, load_json(path, dict).items())


def read_list(path: str) -> Sequence[dict]:
    """Read ``[{"video": "a.mp4", "caption": "text" or ["text", ...]}, ...]``: UMT's json files."""
    return _group(path, _list_pairs(path, load_json(path, list)))


def read_json(path: str) -> Sequence[dict]:
    """Read a JSON file of either form, 'dict' or 'list'."""
    content = load_json(path, (dict, list))
    return _group(path, content.items() if isinstance(content, dict)
                  else _list_pairs(path, content))


def read_webvid(path: str) -> Sequence[dict]:
    """Read a WebVid table, 2M or 10M layout: file ``page_dir/videoid.mp4``, caption ``name``."""
    return _group(path, ((f'{page_dir}/{videoid}.mp4', name) for videoid, page_dir, name
                         in _read_table(path, ('videoid', 'page_dir', 'name'))))


def read_msrvtt(path: str) -> Sequence[dict]:
    """Read the 1K-A table ``key,vid_key,video_id,sentence``: file ``video_id.mp4``."""
    return _group(path, ((f'{video_id}.mp4', sentence) for video_id, sentence
                         in _read_table(path, ('video_id', 'sentence'))))


def read_lsmdc(path: str) -> Sequence[dict]:
    """Read LSMDC's headless table of six tab-separated columns: clip, four times, sentence.

    The file of a clip is ``movie/clip.avi``, as LSMDC distributes it.
    """
    def pairs() -> Iterator[tuple[str, object]]:
        for number, line in _lines(path):
            columns = line.split('\t')
            if len(columns) != _LSMDC_COLUMNS:
                raise ValueError(f'{path} line {number} has {len(columns)} tab-separated columns, '
                                 f'expected {_LSMDC_COLUMNS}: clip, four times, sentence')
            clip = columns[0].strip()
            yield f"{_LSMDC_TIMES.sub('', clip)}/{clip}.avi", columns[-1].strip()
    return _group(path, pairs())


CAPTION_READERS: dict[str, Callable[[str], Sequence[dict]]] = dict(
    dict=read_dict, list=read_list, json=read_json, webvid=read_webvid, msrvtt=read_msrvtt,
    lsmdc=read_lsmdc)


def read_captions(path: str, form: str) -> Sequence[dict]:
    """Read a caption annotation file of one of the forms in ``CAPTION_READERS``.

    Args:
        path (str): The annotation file.
        form (str): 'dict', 'list', 'json' (either), 'webvid', 'msrvtt' or 'lsmdc'.

    Returns:
        Sequence[dict]: ``dict(video=str, captions=list[str])`` for each video.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the form is unknown or the file does not have it.
    """
    if form not in CAPTION_READERS:
        raise ValueError(f'form: no annotation form {form!r}, choose one of '
                         f'{", ".join(CAPTION_READERS)}')
    return CAPTION_READERS[form](path)


def read_labels(path: str, delimiter: str = ' ', label_base: int = 0) -> list[dict]:
    """Read a recognition list, a line a video: path, delimiter, label.

    Args:
        path (str): The list file.
        delimiter (str): Between path and label; a path may hold it too. Defaults to ' '.
        label_base (int): The first class's label in the file, 0 or 1. Defaults to 0.

    Returns:
        list[dict]: ``dict(video=str, label=int, line=int)``, labels from 0.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is empty or a line is malformed.
    """
    items = []
    for number, line in _lines(path):
        video, _, label = line.rstrip().rpartition(delimiter)
        if not video or not re.fullmatch(r'\d+', label.strip()):
            raise ValueError(f'{path} line {number} must be a path, {delimiter!r} and a label, got '
                             f'{_short(line)}')
        if int(label) < label_base:
            raise ValueError(f'{path} line {number} has label {int(label)}, below label_base '
                             f'{label_base}')
        items.append(dict(video=video.strip(), label=int(label) - label_base, line=number))
    return items


def _lines(path: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            yield number, line


def _read_table(path: str, columns: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield each row's values of ``columns``; the file is never in memory as a whole."""
    rows = csv.reader(stream_text(path))
    try:
        header = next(rows)
        missing = [column for column in columns if column not in header]
        if missing:
            raise ValueError(f'{path} has no column {", ".join(missing)}: its header is '
                             f'{_short(",".join(header))}')
        places = {name: place for place, name in enumerate(header)}
        wanted = [places[column] for column in columns]
        empty = True
        for row in rows:
            if not row:
                continue
            if len(row) <= max(wanted):
                short = [column for column in columns if places[column] >= len(row)]
                raise ValueError(f'{path} line {rows.line_num} lacks a value of '
                                 f'{", ".join(short)}')
            empty = False
            yield [row[place] for place in wanted]
    except csv.Error as error:
        raise ValueError(f'{path} line {rows.line_num} is not a row of a table: {error}') from None
    if empty:
        raise ValueError(f'{path} holds a header and no rows: no video is annotated')


def _list_pairs(path: str, entries: list) -> Iterator[tuple[str, object]]:
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not {'video', 'caption'} <= set(entry):
            raise ValueError(f"{path} entry {index} must be an object with 'video' and 'caption', "
                             f'got {_short(entry)}')
        if not isinstance(entry['video'], str):
            raise ValueError(f"{path} entry {index}: 'video' must be a file name, got "
                             f"{_short(entry['video'])}")
        yield entry['video'], entry['caption']


def _group(path: str, pairs: Iterable[tuple[str, object]]) -> CaptionTable:
    """Gather the captions of each video."""
    return CaptionTable((video, caption) for video, captions in pairs
                        for caption in _checked(path, video, captions))


def _checked(path: str, video: str, captions: object) -> Sequence[str]:
    """A video's captions as a sequence of texts."""
    if isinstance(captions, str):
        return (captions, )
    if not isinstance(captions, list) or not captions:
        raise ValueError(f'{path}: the caption of video {video!r} must be text or a list of '
                         f'texts, got {_short(captions)}')
    for caption in captions:
        if not isinstance(caption, str):
            raise ValueError(f'{path}: a caption of video {video!r} is not text: '
                             f'{_short(caption)}')
    return captions


def _short(value: object, limit: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
