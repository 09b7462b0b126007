"""Caption sets: MSR-VTT, DiDeMo, LSMDC, ActivityNet, MSVD."""
import json
import os.path as osp
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Optional

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import is_json
from mmbt.files.text import is_whole, shorten

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
from ..youtube_mapping import is_mapping, read_mapping
from .finding import VideoFinder
from .plain_pickle import load_plain_pickle
from .report import Counts, Official
from .writing import check_target, missing_names

# Video, as its annotation names it -> captions in the order of the file; and how many rows.
Captions = tuple[dict[str, list[str]], int]

_BREAKS = re.compile(r'[\t\r\n]+')  # what a table of lines and tabs cannot hold
_MSVD_LINE = re.compile(r'(\S+_\d+_\d+)\s+(\S.*)')


def prepare_captions(name: str, annotations: list[str], videos: str, out: str, split: str,
                     drop_missing: bool) -> list[Counts]:
    """Turn the published files of one split into ``{video: [captions]}``, for LSMDC a table.

    A video that is there is named by its path below ``videos``, another one as published.

    Args:
        name (str): 'msrvtt', 'didemo', 'lsmdc', 'activitynet' or 'msvd'.
        annotations (list[str]): The published files, told apart by what they hold.
        videos (str): Folder of the videos.
        out (str): Folder to write to.
        split (str): Names what is written; the files decide what it holds.
        drop_missing (bool): Leave out videos that are not there.

    Returns:
        list[Counts]: One.

    Raises:
        FileNotFoundError: If a file or the folder of videos is missing.
        ValueError: If a file has none of the set's published forms.
    """
    family = FAMILIES[name]
    if split not in family.lists:
        raise ValueError(f"{name} has no split {split!r}: choose {', '.join(family.lists)}")
    target = check_target(osp.join(out, family.lists[split]), annotations)
    captions, rows = family.read(annotations)
    aliases = family.aliases(annotations)
    captions, empty = _without_empty(annotations, captions)
    counts = Counts(f'{name} {split}', videos, rows=rows,
                    official=family.sizes.get(split, Official()))
    finder = VideoFinder(videos, aliases=aliases)
    kept: dict[str, list[str]] = {}
    with missing_names(out, split, counts) as note:
        for video, texts in captions.items():
            path = finder.find(video)
            counts.add(video, path is not None, len(texts))
            if path is None:
                note(video)
            if path is not None or not drop_missing:
                kept.setdefault(path or video, []).extend(texts)
    counts.kept = len(kept)
    if not kept:
        raise ValueError(f'none of the {counts.videos:,} videos is in {videos}: nothing to write; '
                         'check --videos')
    with whole_file(target) as draft:
        family.write(str(draft), kept)
    counts.written = target
    shared = (counts.there if drop_missing else counts.videos) - len(kept)
    if shared:
        counts.notes.append(f'{shared:,} videos share a file with another, and are one in it')
    if empty:
        counts.notes.append(f'{empty:,} empty captions are left out')
    return [counts]


def _without_empty(paths: list[str],
                   captions: dict[str, list[str]]) -> tuple[dict[str, list[str]], int]:
    """The captions that are not empty, of videos with one at least, and how many are."""
    kept, empty = {}, 0
    for video, texts in captions.items():
        if not video.strip() or any(character in video for character in '\0\t\r\n'):
            raise ValueError(f'{paths[0]}: {shorten(video)} is no name of a video')
        said = [text for text in texts if text.strip()]
        empty += len(texts) - len(said)
        if said:
            kept[video] = said
    if not kept:
        raise ValueError(f'{paths[0]}: all of its {empty:,} captions are empty')
    return kept, empty


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
            return _entries(read_msrvtt(chosen))
        if files:
            ids = _column(chosen, 'video_id') if tables else _ids(chosen)
            return _select(files[0], _videos_and_sentences(files[0]), ids, suffix='.mp4')
        raise ValueError(f'{chosen} has no sentences: give MSRVTT_data.json too')
    if len(paths) != 1:
        raise ValueError('msrvtt: give one table or list of a split, with MSRVTT_data.json where '
                         f'it has no sentences, not {" ".join(paths)}')
    content = load_captions(paths[0])
    if isinstance(content, dict) and 'sentences' in content:
        raise ValueError(f'{paths[0]} holds all splits: give the table of one too, '
                         'MSRVTT_JSFUSION_test.csv or MSRVTT_train.9k.csv')
    return _entries(captions_of(paths[0], content))


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
        captions, rows = _entries(captions_of(path, content))
    return (captions, rows) if ids is None else _select(path, captions, ids)


def read_activitynet_files(paths: list[str]) -> Captions:
    """Read ActivityNet Captions.

    - the owners' ``val_1.json``, ``{v_id: {duration, timestamps, sentences}}``, and, where it is
      given, CLIP4Clip's list of the videos to take, ``val_ids.json``;
    - UMT's ``anet_ret_val_1.json``, a list of ``{video, caption: [sentences]}``, or
      ``{file: [sentences]}``.
    """
    ids: Optional[list[str]] = None
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
        captions, rows = _entries(captions_of(path, content))
    return (captions, rows) if ids is None else _select(path, captions, ids)


def read_lsmdc_files(paths: list[str]) -> Captions:
    """Read LSMDC: its table of six tab-separated columns, or UMT's list of ``{video, caption}``."""
    path, _ = _file_and_list('lsmdc', paths)
    return _entries(read_json(path) if is_json(path) else read_lsmdc(path))


def read_msvd_files(paths: list[str]) -> Captions:
    """Read MSVD.

    - CLIP4Clip's ``raw-captions.pkl``, ``{id: [[word, ...], ...]}``, read as plain data alone, and
      the list of a split, ``test_list.txt``;
    - the owners' ``AllVideoDescriptions.txt``, a line a caption: id, space, text; and such a list;
    - UMT's list of ``{video, caption: [captions]}`` or ``{file: [captions]}``;
    - beside any of them ``youtube_mapping.txt``, where videos are called ``vid7``.
    """
    aliases = _msvd_aliases(paths)
    paths = [path for path in paths if not _is_msvd_mapping(path)]
    if len(paths) == 1 and is_json(paths[0]):
        return _entries(read_json(paths[0]))
    pickles = [path for path in paths if _is_pickle(path)]
    texts = [path for path in paths if path not in pickles]
    tables = [path for path in texts if _holds_descriptions(path)]
    lists = [path for path in texts if path not in tables]
    if len(pickles) + len(tables) != 1 or len(lists) != 1:
        raise ValueError('msvd: give raw-captions.pkl or AllVideoDescriptions.txt, and the list of '
                         f'a split, test_list.txt; or one json file; not {" ".join(paths)}')
    captions = _msvd_pickle(pickles[0]) if pickles else _msvd_descriptions(tables[0])
    return _select((pickles + tables)[0], captions, _ids(lists[0]), '.avi', aliases)


def _is_sized(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_pickle(path: str) -> bool:
    return path.lower().endswith(('.pkl', '.pickle'))


def _is_msvd_mapping(path: str) -> bool:
    return not _is_pickle(path) and not is_json(path) and is_mapping(path)


def _msvd_aliases(paths: list[str]) -> Callable[[str], list[str]]:
    """Other names of a video, of the mapping among the files."""
    mappings = [path for path in paths if _is_msvd_mapping(path)]
    if len(mappings) > 1:
        raise ValueError(f'{mappings[1]} is a second mapping, beside {mappings[0]}: give one')
    return read_mapping(mappings[0]) if mappings else _no_aliases


def _msvd_pickle(path: str) -> dict[str, list[str]]:
    content = load_plain_pickle(path)
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold a dict of captions, it holds a '
                         f'{type(content).__name__}')
    captions, words = {}, 0
    for video, sentences in content.items():
        words += sum(map(len, filter(_is_sized, sentences if _is_sized(sentences) else ())))
        if words > osp.getsize(path):
            raise ValueError(f'{path} names the same captions over and over: is it the '
                             'annotation file?')
        texts = [sentence if isinstance(sentence, str) else ' '.join(sentence)
                 for sentence in sentences if isinstance(sentence, str) or (
                     isinstance(sentence, (list, tuple))
                     and all(isinstance(word, str) for word in sentence))
                 ] if isinstance(sentences, (list, tuple)) else []
        if not texts or len(texts) != len(sentences):
            raise ValueError(f'{path}: the captions of {video!r} must be a list of lists of words')
        if not isinstance(video, str) or not all(map(is_whole, (video, *texts))):
            raise ValueError(f'{path}: {shorten(video)} and its captions must be whole texts')
        captions[video] = texts
    return captions


def _holds_descriptions(path: str) -> bool:
    first = next((line for _, line in read_lines(path) if not line.startswith('#')), '')
    return bool(_MSVD_LINE.fullmatch(first.strip()))


def _msvd_descriptions(path: str) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for number, line in read_lines(path):
        if line.startswith('#'):
            continue
        found = _MSVD_LINE.fullmatch(line.strip())
        if not found:
            raise ValueError(f'{path} line {number} must be an id, a space and a caption')
        captions.setdefault(found[1], []).append(found[2])
    return captions


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


def _file_and_list(name: str, paths: list[str]) -> tuple[str, Optional[list[str]]]:
    """One file of captions, and the videos of a list in a .txt file."""
    lists = [path for path in paths if path.endswith('.txt')]
    files = [path for path in paths if path not in lists]
    if len(files) != 1 or len(lists) > 1:
        raise ValueError(f'{name}: give one file of captions, and at most one list of videos, not '
                         f'{" ".join(paths)}')
    return files[0], _ids(lists[0]) if lists else None


def _ids(path: str) -> list[str]:
    return list(dict.fromkeys(line.strip() for _, line in read_lines(path)))


def _header(path: str) -> list[str]:
    return next(read_rows(path))[1]


def _column(path: str, name: str) -> list[str]:
    return list(dict.fromkeys(value.strip() for _, (value, ) in read_table(path, (name, ))
                              if value.strip()))


def _entries(entries: Iterable[dict]) -> Captions:
    captions = {entry['video']: list(entry['captions']) for entry in entries}
    return captions, sum(map(len, captions.values()))


def _select(path: str, captions: dict[str, list[str]], ids: list[str],
            suffix: str = '', aliases: Optional[Callable[[str], list[str]]] = None) -> Captions:
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


def _write_json(path: str, captions: dict[str, list[str]]) -> None:
    with open(path, 'w', encoding='utf-8') as file:
        json.dump(captions, file, ensure_ascii=False, indent=0)
        file.write('\n')


def _write_lsmdc(path: str, captions: dict[str, list[str]]) -> None:
    """LSMDC's own table, its four times left empty."""
    with open(path, 'w', encoding='utf-8') as file:
        for video, texts in captions.items():
            clip = without_suffix(osp.basename(video))
            file.writelines(f"{clip}\t\t\t\t\t{_BREAKS.sub(' ', text).strip()}\n" for text in texts)


def _with_and_without_v(paths: list[str]) -> Callable[[str], list[str]]:
    """ActivityNet's videos are called v_ID or ID."""
    def other(video: str) -> list[str]:
        folder, name = osp.split(video)
        return [osp.join(folder, name[2:] if name.startswith('v_') else f'v_{name}')]
    return other


def _no_aliases(video: str) -> list[str]:
    return []


@dataclass
class Family:
    """How one caption set is published and kept.

    Attributes:
        read (Callable): From the published files to captions and rows.
        lists (dict): The file to write for each split.
        sizes (dict): What each split should have.
        write (Callable): Write captions to a path.
        aliases (Callable): From the published files to a function of other names of a video.
    """

    read: Callable[[list[str]], Captions]
    lists: dict[str, str]
    sizes: dict[str, Official]
    write: Callable[[str, dict[str, list[str]]], None] = _write_json
    aliases: Callable[[list[str]], Callable[[str], list[str]]] = lambda paths: _no_aliases


FAMILIES = dict(
    msrvtt=Family(
        read_msrvtt_files,
        dict(test='test_JSFUSION.json', train='train.json', val='val.json'),
        dict(test=Official(1000, 1000), train=Official(9000, 180_000))),
    didemo=Family(
        read_didemo_files,
        dict(test='didemo_ret_test.json', train='didemo_ret_train.json',
             val='didemo_ret_val.json'),
        dict(test=Official(1004))),
    lsmdc=Family(
        read_lsmdc_files,
        dict(test='LSMDC16_challenge_1000_publictect.csv', train='LSMDC16_annos_training.csv',
             val='LSMDC16_annos_val.csv'),
        dict(test=Official(1000, 1000)), write=_write_lsmdc),
    activitynet=Family(
        read_activitynet_files,
        dict(val='anet_ret_val_1.json', train='anet_ret_train.json'),
        dict(val=Official(4917), train=Official(10_009)), aliases=_with_and_without_v),
    msvd=Family(
        read_msvd_files,
        dict(test='msvd_ret_test.json', train='msvd_ret_train.json', val='msvd_ret_val.json'),
        dict(test=Official(670, 27_763), train=Official(1200, 48_774), val=Official(100, 4290)),
        aliases=_msvd_aliases))
