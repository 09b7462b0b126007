"""The published annotation files of each set -> the one form that the configs read."""
import os.path as osp

from .recognition import FAMILIES as CLASS_SETS
from .recognition import prepare_classes
from .report import Counts
from .retrieval import FAMILIES as CAPTION_SETS
from .retrieval import prepare_captions
from .webvid import prepare_webvid

__all__ = ['NAMES', 'Counts', 'prepare']

NAMES = ('webvid', *CAPTION_SETS, *CLASS_SETS)


def prepare(name: str, annotations: list[str], videos: str | None = None,
            out: str | None = None, split: str | None = None,
            drop_missing: bool = False) -> list[Counts]:
    """Prepare a set; see docs/data.md for what each needs.

    Args:
        name: One of ``NAMES``.
        annotations: The published files.
        videos: Folder of the videos, where the set's config looks for them if it is not given:
            ``out/videos``, for Kinetics ``out/videos_val``.
        out: Folder to write to. Defaults to ``data/NAME``.
        split: Defaults to the one that the paper tests on.
        drop_missing: Leave out videos that are not there.

    Returns:
        What each list holds.

    Raises:
        FileNotFoundError: If a file or folder is missing.
        ValueError: If a name is unknown, or a file has none of the set's published forms.
    """
    if name not in NAMES:
        raise ValueError(f"no set {name!r}: choose one of {', '.join(NAMES)}")
    split = split or ('val' if name in ('activitynet', *CLASS_SETS) else 'test')
    out = out or f'data/{name}'
    videos = videos or osp.join(out, f'videos_{split}' if name == 'kinetics400' else 'videos')
    for path in annotations:
        if not osp.exists(path):
            raise FileNotFoundError(f'annotation file {path} is missing')
    if name == 'webvid':
        return prepare_webvid(annotations, videos, out, split, drop_missing)
    if name in CLASS_SETS:
        return prepare_classes(name, annotations, videos, out, split, drop_missing)
    return prepare_captions(name, annotations, videos, out, split, drop_missing)
