"""The published files of MSVD: captions as a pickle or a table, and other names of its videos."""
import os.path as osp
import re
from collections.abc import Callable

from mmbt.files.json_text import is_json
from mmbt.files.text import is_whole, shorten

from ..annotations import read_json, read_lines
from ..video_files import is_mapping, read_mapping
from .plain_pickle import load_plain_pickle
from .published import Captions, entries_of, ids_of, no_aliases, select

_MSVD_LINE = re.compile(r'(\S+_\d+_\d+)\s+(\S.*)')


def read_msvd_files(paths: list[str]) -> Captions:
    """Read MSVD.

    - CLIP4Clip's ``raw-captions.pkl``, ``{id: [[word, ...], ...]}``, read as plain data alone, and
      the list of a split, ``test_list.txt``;
    - the owners' ``AllVideoDescriptions.txt``, a line a caption: id, space, text; and such a list;
    - UMT's list of ``{video, caption: [captions]}`` or ``{file: [captions]}``;
    - beside any of them ``youtube_mapping.txt``, where videos are called ``vid7``.
    """
    aliases = msvd_aliases(paths)
    paths = [path for path in paths if not _is_msvd_mapping(path)]
    if len(paths) == 1 and is_json(paths[0]):
        return entries_of(read_json(paths[0]))
    pickles = [path for path in paths if _is_pickle(path)]
    texts = [path for path in paths if path not in pickles]
    tables = [path for path in texts if _holds_descriptions(path)]
    lists = [path for path in texts if path not in tables]
    if len(pickles) + len(tables) != 1 or len(lists) != 1:
        raise ValueError('msvd: give raw-captions.pkl or AllVideoDescriptions.txt, and the list of '
                         f'a split, test_list.txt; or one json file; not {" ".join(paths)}')
    captions = _msvd_pickle(pickles[0]) if pickles else _msvd_descriptions(tables[0])
    return select((pickles + tables)[0], captions, ids_of(lists[0]), '.avi', aliases)


def _is_sized(value: object) -> bool:
    return isinstance(value, (list, tuple))


def _is_pickle(path: str) -> bool:
    return path.lower().endswith(('.pkl', '.pickle'))


def _is_msvd_mapping(path: str) -> bool:
    return not _is_pickle(path) and not is_json(path) and is_mapping(path)


def msvd_aliases(paths: list[str]) -> Callable[[str], list[str]]:
    """Other names of a video, of the mapping among the files."""
    mappings = [path for path in paths if _is_msvd_mapping(path)]
    if len(mappings) > 1:
        raise ValueError(f'{mappings[1]} is a second mapping, beside {mappings[0]}: give one')
    return read_mapping(mappings[0]) if mappings else no_aliases


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
