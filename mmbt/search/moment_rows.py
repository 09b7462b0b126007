"""The table of windows, and what an index has to be made by."""
from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbt.models.card import ModelCard

from .lance_table import shown, to_stored
from .video_rows import Known
from .waiting import Added

if TYPE_CHECKING:
    import pyarrow


def moment_schema(width: int) -> pyarrow.Schema:
    """The columns of the table of windows."""
    import pyarrow as pa
    vector = pa.list_(pa.float16(), width)
    return pa.schema([('video', pa.int64()), ('path', pa.string()), ('start', pa.float64()),
                      ('end', pa.float64()), ('embedding', vector), ('baseline', vector)])


def moment_rows(known: list[Known], added: list[Added], width: int) -> pyarrow.Table:
    """Rows of windows as Arrow has them; the baseline is null where there is none."""
    import pyarrow as pa
    counts = [len(each.times) for each in added]
    times = np.concatenate([each.times for each in added])
    nothing: np.ndarray = np.zeros((0, width), np.float32)

    def column(which: int) -> pa.Array:
        there: np.ndarray = np.repeat([len(each.vectors) > which for each in added], counts)
        rows: np.ndarray = np.zeros((len(times), width), np.float16)
        rows[there] = np.concatenate([each.vectors[which] if len(each.vectors) > which else nothing
                                      for each in added])
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), width,
                                                 mask=pa.array(~there))

    ids: np.ndarray = np.repeat(np.array([each.id for each in known], np.int64), counts)
    paths = [to_stored(each.row.path) for each, count in zip(known, counts) for _ in range(count)]
    return pa.table([pa.array(ids), pa.array(paths, pa.string()), pa.array(times[:, 0]),
                     pa.array(times[:, 1]), column(0), column(1)], schema=moment_schema(width))


def check_made_by(folder: str, ours: dict[str, Any], theirs: dict[str, Any],
                  what: str = 'index') -> None:
    """Name in what an index, or another folder, was made otherwise.

    Raises:
        ValueError: If it was.
    """
    where = f'{what} {shown(folder)}'
    ours = json.loads(json.dumps(ours))
    if ours.get('model_card') and theirs.get('model_card'):
        card = ModelCard.from_dict(theirs['model_card'], where)
        for difference in ModelCard.from_dict(ours['model_card']).differences(card):
            raise ValueError(f'{where} was made by another model: it {difference}; or make it '
                             'anew')
    for name in ours:
        if name != 'model_card' and ours[name] != theirs.get(name):
            raise ValueError(f'{where} was made with another {name} '
                             f'({shown(str(theirs.get(name)))[:80]}, not '
                             f'{shown(str(ours[name]))[:80]}): make it anew, or search it with '
                             'what made it')


def is_within(path: str, scope: str | None) -> bool:
    """Whether a path is a folder's, or the very one."""
    return scope is None or path == scope or path.startswith(scope.rstrip(os.sep) + os.sep)
