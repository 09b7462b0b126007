"""Indexes of before, ``.npz`` files of one embedding a video, taken into one of moments."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from .index import PathLike, check_index_card, read_arrays
from .lance_table import shown
from .video_rows import VideoRow


def read_old(path: PathLike, made_by: dict[str, Any], width: int, folder: PathLike
             ) -> Iterator[tuple[VideoRow, np.ndarray]]:
    """Read an old file for the index of a folder; see :meth:`.moment_index.MomentIndex.import_npz`.

    Yields:
        Each video's row, and its (1, width) embedding; (0, width) of one that could not be read.
    """
    arrays = read_arrays(path)
    check_index_card(path, arrays.get('model_card'),
                     json.dumps(made_by.get('model_card')) if 'model_card' in made_by
                     else '')
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
