"""Indexes of before, ``.npz`` files of one embedding a video, taken into one of moments."""
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from .index import PathLike, check_index_card, read_arrays
from .lance_table import shown
from .video_rows import VideoRow
from .windows import Window

if TYPE_CHECKING:
    from .moment_index import MomentIndex


def add_old(index: MomentIndex, path: PathLike) -> int:
    """Add an old file's videos; see :meth:`.moment_index.MomentIndex.import_npz`."""
    arrays = read_arrays(path)
    check_index_card(path, arrays.get('model_card'),
                     json.dumps(index.made_by.get('model_card')) if 'model_card' in index.made_by
                     else '')
    model, pipeline = arrays['made_by'].tolist()
    if index.made_by.get('model', model) != model:
        raise ValueError(f'index {shown(path)} was made by another model (other weights, '
                         f'precision or settings) than {shown(index.folder)}')
    ours = index.made_by.get('pipeline')
    if ours is not None and pipeline not in (ours, json.dumps(ours, sort_keys=True)):
        raise ValueError(f'index {shown(path)} was made by another pipeline than '
                         f'{shown(index.folder)}')
    if arrays['embeddings'].shape[1] != index.width:
        raise ValueError(f'index {shown(path)} has embeddings of '
                         f'{arrays["embeddings"].shape[1]} channels, not {index.width}')
    count = 0
    for video, (size, changed), vector in zip(
            arrays['paths'].tolist(), arrays['stamps'].tolist(), arrays['embeddings']):
        if not index.is_current(video, size, changed):
            index.add(VideoRow(video, size, changed, 0., 1), [Window(0., 0.)], vector[None])
            count += 1
    for video, why in zip(arrays['broken'].tolist(), arrays['reasons'].tolist()):
        if index.known(video) is None:
            index.add(VideoRow(video, 0, 0, 0., 0, why or 'cannot be read'), [],
                     np.zeros((0, index.width)))
    index.flush()
    return count
