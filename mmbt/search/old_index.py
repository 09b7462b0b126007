"""Indexes of before, ``.npz`` files of one embedding a video, taken into one of moments."""
from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.files.json_text import parse_json
from mmbt.files.npz import read_npz
from mmbt.files.safe_load import in_line
from mmbt.files.source import CARD
from mmbt.models.card import ModelCard

from .lance_table import shown
from .stamps import PathLike
from .video_rows import VideoRow

# The arrays of a file and their kinds, as numpy has them.
ARRAYS = dict(embeddings='f', paths='U', stamps='i', broken='U', reasons='U', made_by='U')


def read_old(path: PathLike, made_by: dict[str, Any], width: int, folder: PathLike
             ) -> Iterator[tuple[VideoRow, np.ndarray]]:
    """Read an old file for the index of a folder; see :meth:`.moment_index.MomentIndex.import_npz`.

    Yields:
        Each video's row, and its (1, width) embedding; (0, width) of one that could not be read.
    """
    arrays = read_arrays(path)
    check_card(path, arrays.get(CARD), made_by.get('model_card'))
    model, pipeline = arrays['made_by'].tolist()
    if made_by.get('model', model) != model:
        raise ValueError(f'index {shown(path)} was made by another model (other weights, '
                         f'precision or settings) than {shown(folder)}')
    ours = made_by.get('pipeline')
    if ours is not None and pipeline not in (ours, json.dumps(ours, sort_keys=True)):
        raise ValueError(f'index {shown(path)} was made by another pipeline than '
                         f'{shown(folder)}')
    if arrays['embeddings'].shape[1] != width:
        raise ValueError(f'index {shown(path)} has embeddings of '
                         f'{arrays["embeddings"].shape[1]} channels, not {width}')
    for video, (size, changed), vector in zip(
            arrays['paths'].tolist(), arrays['stamps'].tolist(), arrays['embeddings']):
        yield VideoRow(video, size, changed, 0., 1), vector[None]
    for video, why in zip(arrays['broken'].tolist(), arrays['reasons'].tolist()):
        yield VideoRow(video, 0, 0, 0., 0, why or 'cannot be read'), np.zeros((0, width))


def check_card(path: PathLike, stored: np.ndarray | None, ours: dict[str, Any] | None) -> None:
    """Name in what a file's model differs from the one at hand; files of before 0.2 have no card.

    Raises:
        ValueError: If it does, or the file's card is none.
    """
    try:
        told = None if stored is None else parse_json(str(stored.reshape(-1)[0]), str(path))
    except (ValueError, IndexError) as error:
        raise ValueError(f'index {shown(path)}: its model card is damaged') from error
    if told is None:
        logging.getLogger('mmbt').warning('index %s has no model card, as files of before 0.2 '
                                          'have none', shown(path))
    if not ours or told is None:
        return
    theirs = ModelCard.from_dict(told, f'index {path}')
    for difference in ModelCard.from_dict(ours).differences(theirs):
        raise ValueError(f'index {shown(path)} was made by another model: it {difference}; or '
                         'make it anew')


def read_arrays(path: PathLike) -> dict[str, np.ndarray]:
    """The arrays of an old file by name.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is no index, or damaged; in one line.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'index {shown(path)} is missing')
    damaged = f'{shown(path)} is no index of videos, or damaged'
    try:
        arrays = read_npz(path, tuple(ARRAYS), (CARD, ))
    except ValueError as error:
        raise ValueError(damaged) from error
    if any(arrays[name].ndim == 0 or arrays[name].dtype.kind != kind
           for name, kind in ARRAYS.items()):
        raise ValueError(damaged)
    count, bad = len(arrays['paths']), len(arrays['broken'])
    shapes = [arrays[name].shape for name in list(ARRAYS)[1:]]
    if (arrays['embeddings'].ndim != 2 or len(arrays['embeddings']) != count
            or shapes != [(count,), (count, 2), (bad,), (bad,), (2,)]):
        raise ValueError(damaged)
    check_entries(path, arrays)
    return arrays


def check_entries(path: PathLike, arrays: dict[str, np.ndarray]) -> None:
    """Refuse an index that has a video twice, or an embedding that is not of finite numbers.

    Raises:
        ValueError: Naming the video.
    """
    try:
        paths = arrays['paths'].tolist() + arrays['broken'].tolist()
        arrays['reasons'].tolist(), arrays['made_by'].tolist()
    except ValueError as error:  # no characters
        raise ValueError(f'{shown(path)} is no index of videos, or damaged ({error})') from error
    if len(set(paths)) != len(paths):
        twice = Counter(paths).most_common(1)[0][0]
        raise ValueError(f'index {shown(path)} has {in_line(twice)!r} twice; make it anew')
    finite = np.isfinite(arrays['embeddings']).all(axis=-1)
    if not finite.all():
        raise ValueError(f'index {shown(path)}: the embedding of '
                         f'{in_line(paths[int(finite.argmin())])!r} is not of finite numbers; '
                         'make it anew')
