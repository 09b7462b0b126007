"""Caption sets: MSR-VTT, DiDeMo, LSMDC, ActivityNet, MSVD."""
import json
import os.path as osp
import re
from collections.abc import Callable
from dataclasses import dataclass

from mmbt.files.atomic import whole_file
from mmbt.files.text import shorten

from ..video_files import without_suffix
from .finding import VideoFinder
from .msvd import msvd_aliases, read_msvd_files
from .published import (
    Captions,
    no_aliases,
    read_activitynet_files,
    read_didemo_files,
    read_lsmdc_files,
    read_msrvtt_files,
)
from .report import Counts, Official
from .writing import check_target, missing_names

_BREAKS = re.compile(r'[\t\r\n]+')  # what a table of lines and tabs cannot hold


def prepare_captions(name: str, annotations: list[str], videos: str, out: str, split: str,
                     drop_missing: bool) -> list[Counts]:
    """Turn the published files of one split into ``{video: [captions]}``, for LSMDC a table.

    A video that is there is named by its path below ``videos``, another one as published.

    Args:
        name: 'msrvtt', 'didemo', 'lsmdc', 'activitynet' or 'msvd'.
        annotations: The published files, told apart by what they hold.
        videos: Folder of the videos.
        out: Folder to write to.
        split: Names what is written; the files decide what it holds.
        drop_missing: Leave out videos that are not there.

    Returns:
        One.

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


@dataclass
class Family:
    """How one caption set is published and kept.

    Attributes:
        read: From the published files to captions and rows.
        lists: The file to write for each split.
        sizes: What each split should have.
        write: Write captions to a path.
        aliases: From the published files to a function of other names of a video.
    """

    read: Callable[[list[str]], Captions]
    lists: dict[str, str]
    sizes: dict[str, Official]
    write: Callable[[str, dict[str, list[str]]], None] = _write_json
    aliases: Callable[[list[str]], Callable[[str], list[str]]] = lambda paths: no_aliases


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
        aliases=msvd_aliases))
