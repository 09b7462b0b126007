"""The published files of captions: MSR-VTT, DiDeMo, ActivityNet, LSMDC."""
from collections.abc import Callable, Iterable

from mmbt.files.json_text import is_json

from ..annotations import (
    captions_of,
    load_captions,
    load_json,
    read_json,
    read_lines,
    read_lsmdc,
    read_msrvtt,
    read_rows,
    read_table,
)
from ..video_files import without_suffix

# Video, as its annotation names it -> captions in the order of the file; and how many rows.
Captions = tuple[dict[str, list[str]], int]


def read_msrvtt_files(paths: list[str]) -> Captions:
    """Read MSR-VTT.

    - ``MSRVTT_JSFUSION_test.csv``: a sentence a row, with or without ``MSRVTT_data.json``;
    - ``MSRVTT_data.json`` (or the organisers' ``*_videodatainfo.json``) and a table or list of the
      videos of a split, as ``MSRVTT_train.9k.csv``;
    - MMAction2's ``{file: [captions]}`` or UMT's list of ``{video, caption}``.
    """
    tables = [path for path in paths if path.lower().endswith(('.csv', '.tsv'))]
    lists = [path for path in paths if path.lower().endswith('.txt')]
    files = [path for path in paths if path not in tables + lists]
    if len(tables + lists) == 1 and len(files) <= 1:
        chosen = (tables + lists)[0]
        if tables and 'sentence' in _header(chosen):
            return entries_of(read_msrvtt(chosen))
        if files:
            ids = _column(chosen, 'video_id') if tables else ids_of(chosen)
            return select(files[0], _videos_and_sentences(files[0]), ids, suffix='.mp4')
        raise ValueError(f'{chosen} has no sentences: give MSRVTT_data.json too')
    if len(paths) != 1:
        raise ValueError('msrvtt: give one table or list of a split, with MSRVTT_data.json where '
                         f'it has no sentences, not {" ".join(paths)}')
    content = load_captions(paths[0])
    if isinstance(content, dict) and 'sentences' in content:
        raise ValueError(f'{paths[0]} holds all splits: give the table of one too, '
                         'MSRVTT_JSFUSION_test.csv or MSRVTT_train.9k.csv')
    return entries_of(captions_of(paths[0], content))


def read_didemo_files(paths: list[str]) -> Captions:
    """Read DiDeMo.

    - the owners' ``test_data.json``, a list of ``{video, description, times}``, and, where it is
      given, a list of the videos to take, ``test_list.txt``;
    - ``{file: [sentences]}`` or UMT's list of ``{video, caption: [sentences]}``.
    """
    path, ids = _file_and_list('didemo', paths)
    content = load_captions(path)
    if isinstance(content, list) and isinstance(content[0], dict) and 'description' in content[0]:
        captions: dict[str, list[str]] = {}
        for place, entry in enumerate(content):
            video, text = _fields(path, f'entry {place}', entry, 'video', 'description')
            captions.setdefault(video, []).append(text)
        rows = len(content)
    else:
        captions, rows = entries_of(captions_of(path, content))
    return (captions, rows) if ids is None else select(path, captions, ids)


def read_activitynet_files(paths: list[str]) -> Captions:
    """Read ActivityNet Captions.

    - the owners' ``val_1.json``, ``{v_id: {duration, timestamps, sentences}}``, and, where it is
      given, CLIP4Clip's list of the videos to take, ``val_ids.json``;
    - UMT's ``anet_ret_val_1.json``, a list of ``{video, caption: [sentences]}``, or
      ``{file: [sentences]}``.
    """
    ids: list[str] | None = None
    files = []
    for path in paths:
        content = load_captions(path)
        if isinstance(content, list) and all(isinstance(entry, str) for entry in content):
            ids = content
        else:
            files.append((path, content))
    if len(files) != 1 or len(paths) > 2:
        raise ValueError('activitynet: give one file of captions, and at most one list of videos, '
                         f'not {" ".join(paths)}')
    path, content = files[0]
    if isinstance(content, dict) and isinstance(next(iter(content.values())), dict):
        captions = {}
        for video, entry in content.items():
            if not isinstance(entry, dict) or not isinstance(entry.get('sentences'), list) or \
                    not all(isinstance(text, str) for text in entry['sentences']):
                raise ValueError(f"{path}: {video} must be an object with a list of 'sentences'")
            captions[video] = [text.strip() for text in entry['sentences']]
        rows = len(captions)
    else:
        captions, rows = entries_of(captions_of(path, content))
    return (captions, rows) if ids is None else select(path, captions, ids)


def read_lsmdc_files(paths: list[str]) -> Captions:
    """Read LSMDC: its table of six tab-separated columns, or UMT's list of ``{video, caption}``."""
    path, _ = _file_and_list('lsmdc', paths)
    return entries_of(read_json(path) if is_json(path) else read_lsmdc(path))


def _videos_and_sentences(path: str) -> dict[str, list[str]]:
    content = load_json(path, dict)
    if not isinstance(content.get('sentences'), list):
        raise ValueError(f"{path} has no list of 'sentences': is it MSRVTT_data.json?")
    captions: dict[str, list[str]] = {}
    for place, entry in enumerate(content['sentences']):
        video, text = _fields(path, f'sentence {place}', entry, 'video_id', 'caption')
        captions.setdefault(video, []).append(text)
    return captions


def _fields(path: str, where: str, entry: object, *names: str) -> list[str]:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
        raise ValueError(f"{path} {where} must be an object with text in {' and '.join(names)}")
    return [entry[name].strip() for name in names]


def _file_and_list(name: str, paths: list[str]) -> tuple[str, list[str] | None]:
    """One file of captions, and the videos of a list in a .txt file."""
    lists = [path for path in paths if path.endswith('.txt')]
    files = [path for path in paths if path not in lists]
    if len(files) != 1 or len(lists) > 1:
        raise ValueError(f'{name}: give one file of captions, and at most one list of videos, not '
                         f'{" ".join(paths)}')
    return files[0], ids_of(lists[0]) if lists else None


def ids_of(path: str) -> list[str]:
    """The lines of a list of videos, each once."""
    return list(dict.fromkeys(line.strip() for _, line in read_lines(path)))


def _header(path: str) -> list[str]:
    return next(read_rows(path))[1]


def _column(path: str, name: str) -> list[str]:
    return list(dict.fromkeys(value.strip() for _, (value, ) in read_table(path, (name, ))
                              if value.strip()))


def entries_of(entries: Iterable[dict]) -> Captions:
    """What a reader of annotations gives, by video."""
    captions = {entry['video']: list(entry['captions']) for entry in entries}
    return captions, sum(map(len, captions.values()))


def select(path: str, captions: dict[str, list[str]], ids: list[str],
            suffix: str = '', aliases: Callable[[str], list[str]] | None = None) -> Captions:
    """The captions of some videos, by their names with or without suffix, or other names."""
    by_stem = {without_suffix(video): texts for video, texts in captions.items()}
    chosen = {}
    for video in ids:
        names = (video, *(aliases(video) if aliases else ()))
        texts = captions.get(video) or next(
            (by_stem[stem] for stem in map(without_suffix, names) if stem in by_stem), None)
        if not texts:
            raise ValueError(f'{path} has no caption of {video}, which the list of the split names')
        chosen[video if without_suffix(video) != video else video + suffix] = texts
    return chosen, sum(map(len, chosen.values()))


def no_aliases(video: str) -> list[str]:
    """A video has its own name alone."""
    return []
