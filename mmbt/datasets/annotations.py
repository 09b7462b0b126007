"""Readers of the published caption and class annotations.

Every caption reader takes a file and returns a sequence of
``dict(video=str, captions=[str, ...])``, one entry a video in order of first appearance. Every
problem is a one-line error that names the file and the line, key or video. What can be used in part
is: captions that are empty are left out, and a warning counts them.
"""
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from mmengine.logging import print_log

from mmbt.files import json_text, tables, text
from mmbt.files.shown import printable
from mmbt.files.text import shorten

from .compact import CaptionTable

_LSMDC_TIMES = re.compile(r'_\d\d\.\d\d\.\d\d\.\d+-\d\d\.\d\d\.\d\d\.\d+$')
_LSMDC_COLUMNS = 6
_ALL = 'of a video that is there twice all captions are taken'
_WHAT = 'annotation file', 'ann_file'


def warn(message: str) -> None:
    """Log a warning about an annotation file, on one line."""
    print_log(printable(message), logger='current', level=logging.WARNING)


def read_text(path: str) -> str:
    """Return the text of an annotation file; see :func:`mmbt.files.text.read_text`."""
    return text.read_text(path, *_WHAT)


def read_lines(path: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of its lines that are not blank; see :mod:`mmbt.files.text`."""
    return text.read_lines(path, *_WHAT)


def read_rows(path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line and values of its rows, the header first; see :mod:`mmbt.files.tables`."""
    return tables.read_rows(path, *_WHAT)


def read_table(path: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Yield line and values of ``columns`` of its rows; see :mod:`mmbt.files.tables`."""
    return tables.read_table(path, columns, *_WHAT)


def load_json(path: str, kind: type | tuple[type, ...],
              repeated: str = 'the last of each counts') -> Any:
    """Return the content of a JSON file whose top level must be ``kind``: dict, list or both.

    Args:
        path: The file; a ``.jsonl`` or ``.ndjson`` file is a list of its lines.
        kind: Of the top level.
        repeated: What is done where a key occurs twice, which is warned of.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is empty, malformed or holds another type; see
            :func:`mmbt.files.json_text.read_json`.
    """
    content = json_text.read_json(path, kind, *_WHAT, repeated=repeated, report=warn)
    if not content:
        raise ValueError(f'{path} holds an empty {type(content).__name__}: nothing is annotated')
    return content


def _read_dict(path: str) -> Sequence[dict]:
    """Read ``{"video7020.mp4": ["a caption", ...], ...}``: MMAction2's MSR-VTT, DiDeMo."""
    return _group(path, _dict_pairs(load_json(path, dict, _ALL)))


def read_list(path: str) -> Sequence[dict]:
    """Read ``[{"video": "a.mp4", "caption": "text" or ["text", ...]}, ...]``: UMT's json files."""
    return _group(path, _list_pairs(path, load_json(path, list)))


def read_json(path: str) -> Sequence[dict]:
    """Read a JSON file of either form, 'dict' or 'list'."""
    return captions_of(path, load_captions(path))


def load_captions(path: str) -> dict | list:
    """Return the content of a JSON file of captions; see :func:`load_json`."""
    return load_json(path, (dict, list), _ALL)


def captions_of(path: str, content: dict | list) -> CaptionTable:
    """Gather the captions of JSON content of either form; ``path`` is named in errors."""
    return _group(path, _dict_pairs(content) if isinstance(content, dict)
                  else _list_pairs(path, content))


def _read_webvid(path: str) -> Sequence[dict]:
    """Read a WebVid table, 2M or 10M layout: file ``page_dir/videoid.mp4``, caption ``name``."""
    return _group(path, ((f'{page_dir}/{videoid}.mp4', name) for _, (videoid, page_dir, name)
                         in read_table(path, ('videoid', 'page_dir', 'name'))))


def read_msrvtt(path: str) -> Sequence[dict]:
    """Read the 1K-A table ``key,vid_key,video_id,sentence``: file ``video_id.mp4``."""
    return _group(path, ((f'{video_id}.mp4', sentence) for _, (video_id, sentence)
                         in read_table(path, ('video_id', 'sentence'))))


def read_lsmdc(path: str) -> Sequence[dict]:
    """Read LSMDC's headless table of six tab-separated columns: clip, four times, sentence.

    The file of a clip is ``movie/clip.avi``, as LSMDC distributes it.
    """
    def pairs() -> Iterator[tuple[str, object]]:
        for number, line in read_lines(path):
            columns = line.split('\t')
            if len(columns) != _LSMDC_COLUMNS:
                raise ValueError(f'{path} line {number} has {len(columns)} tab-separated columns, '
                                 f'expected {_LSMDC_COLUMNS}: clip, four times, sentence')
            clip = columns[0].strip()
            yield f"{_LSMDC_TIMES.sub('', clip)}/{clip}.avi", columns[-1].strip()
    return _group(path, pairs())


CAPTION_READERS: dict[str, Callable[[str], Sequence[dict]]] = dict(
    dict=_read_dict, list=read_list, json=read_json, webvid=_read_webvid, msrvtt=read_msrvtt,
    lsmdc=read_lsmdc)


def read_captions(path: str, form: str) -> Sequence[dict]:
    """Read a caption annotation file of one of the forms in ``CAPTION_READERS``.

    Args:
        path: The annotation file.
        form: 'dict', 'list', 'json' (either), 'webvid', 'msrvtt' or 'lsmdc'.

    Returns:
        ``dict(video=str, captions=list[str])`` for each video.

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
        path: The list file.
        delimiter: Between path and label; a path may hold it too.
        label_base: The first class's label in the file, 0 or 1.

    Returns:
        ``dict(video=str, label=int, line=int)``, labels from 0.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is empty or a line is malformed.
    """
    items = []
    first: dict[str, int] = {}
    twice: list[str] = []
    for number, line in read_lines(path):
        video, _, label = line.rstrip().rpartition(delimiter)
        if not video.strip() or not re.fullmatch(r'[0-9]{1,9}', label.strip()):
            raise ValueError(f'{path} line {number} must be a path, {delimiter!r} and a label, got '
                             f'{shorten(line)}')
        if int(label) < label_base:
            raise ValueError(f'{path} line {number} has label {int(label)}, below label_base '
                             f'{label_base}')
        items.append(dict(video=video.strip(), label=int(label) - label_base, line=number))
        if first.setdefault(video.strip(), number) != number:
            twice.append(f'{video.strip()} (lines {first[video.strip()]} and {number})')
    if twice:
        warn(f'{path}: {len(twice):,} lines repeat a video, such as {twice[0]}; each line counts')
    return items


def _dict_pairs(content: dict) -> Iterable[tuple[str, object]]:
    """The videos and captions of a JSON object, also of a video that is in it twice."""
    return content.pairs if isinstance(content, json_text.Repeated) else content.items()


def _list_pairs(path: str, entries: list) -> Iterator[tuple[str, object]]:
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict) or not {'video', 'caption'} <= set(entry):
            raise ValueError(f"{path} entry {index} must be an object with 'video' and 'caption', "
                             f'got {shorten(entry)}')
        if not isinstance(entry['video'], str):
            raise ValueError(f"{path} entry {index}: 'video' must be a file name, got "
                             f"{shorten(entry['video'])}")
        yield entry['video'], entry['caption']


def _group(path: str, pairs: Iterable[tuple[str, object]]) -> CaptionTable:
    """Gather the captions of each video; those that are empty are left out, and counted."""
    bare: dict[str, None] = {}
    count = empty = 0

    def whole() -> Iterator[tuple[str, str]]:
        nonlocal count, empty
        for video, captions in pairs:
            if not video or video.isspace() or '\0' in video:
                raise ValueError(f'{path}: {shorten(video)} is no name of a video; its captions '
                                 f'are {shorten(captions)}')
            for caption in _checked(path, video, captions):
                count += 1
                if caption and not caption.isspace():
                    yield video, caption
                else:
                    empty += 1
                    bare[video] = None

    table = CaptionTable(whole())
    if not len(table):
        raise ValueError(f'{path}: all of its {count:,} captions are empty')
    if empty:
        first = next(iter(bare))
        for entry in table:
            bare.pop(entry['video'], None)
        gone = f', and with them {len(bare):,} videos, which have no other' if bare else ''
        warn(f'{path}: {empty:,} of {count:,} captions are empty, such as one of {first}; they are '
             f'left out{gone}')
    return table


def _checked(path: str, video: str, captions: object) -> Sequence[str]:
    """A video's captions as a sequence of texts."""
    if isinstance(captions, str):
        return (captions, )
    if not isinstance(captions, list) or not captions:
        raise ValueError(f'{path}: the caption of video {shorten(video)} must be text or a list of '
                         f'texts, got {shorten(captions)}')
    for caption in captions:
        if not isinstance(caption, str):
            raise ValueError(f'{path}: a caption of video {shorten(video)} is not text: '
                             f'{shorten(caption)}')
    return captions
