"""Reading states of a frozen trunk, each record compared with its checksum."""
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmbt.files.json_text import read_json
from mmbt.reading import VideoReadError

from .layout import BROKEN, MANIFEST, NAME_BYTES, StatesForm, file_name, name_mark

REMEDY = 'run mmbt cache --check, which takes it out, and mmbt cache again'


class StatesReader:
    """A folder that ``mmbt cache`` wrote.

    Args:
        folder: The folder.

    Attributes:
        form: What its records have.
        made_by: What they depend on: ``weights``, ``sampling``, ``mask``, ``list``, ...

    Raises:
        FileNotFoundError: If it is not there, or not all of it.
        ValueError: If it is damaged.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(f'{folder} has no {MANIFEST}, so that not all frozen states '
                                    'are there: mmbt cache makes them, or goes on making them')
        told = read_json(path, dict, 'list of frozen states')
        self.form = StatesForm.from_dict(told.get('form'), str(path))
        self.made_by: Mapping[str, Any] = told['made_by']
        self.clips, self.draws = int(told['clips']), int(told['draws'])
        self._sums = np.asarray(told['crc32'], np.uint32)
        self._seen: np.ndarray = np.zeros(len(self._sums), bool)
        if len(self._sums) != self.clips * self.draws:
            raise ValueError(f'{path} has not a checksum for each record: damaged; run mmbt cache '
                             'again')

    def check_sampling(self, sampling: Mapping[str, Any]) -> None:
        """Refuse states of other frames than a pipeline draws.

        Raises:
            ValueError: If they are.
        """
        theirs = self.made_by.get('sampling')
        if theirs != sampling:
            raise ValueError(f'the frozen states in {self.folder} are of another sampling '
                             f'({difference(theirs, sampling)}): make them anew with mmbt cache in '
                             'another folder, or train from frames (states=None)')

    def read(self, index: int, draw: int, name: str) -> dict[str, Any]:
        """A clip's states.

        Args:
            index: Its place in the list.
            draw: Which draw of its frames.
            name: Its name there.

        Raises:
            ValueError: If another clip was there when the states were made, or the file is damaged.
            VideoReadError: If the clip could not be read then.
        """
        place = index * self.draws + draw
        record = self._record(place) if index < self.clips else None
        found = None if record is None else bytes(record[-NAME_BYTES:])
        if found == BROKEN:
            raise VideoReadError(f'{name} could not be read when its frozen states were made')
        if record is None or found != name_mark(name):
            raise ValueError(f'the frozen states in {self.folder} are of another list: clip '
                             f'{index} was not {name!r} there; make them anew with mmbt cache in '
                             'another folder, or train from frames (states=None)')
        return dict(self.form.unpack(record))

    def _record(self, place: int) -> bytearray:
        number, within = divmod(place, self.form.records)
        path = self.folder / file_name(number)
        record = bytearray(self.form.record_bytes)
        with open(path, 'rb', buffering=0) as file:
            read = os.preadv(file.fileno(), [record], within * len(record))
        if read != len(record):
            raise ValueError(f'{path} is cut short: {REMEDY}')
        if not self._seen[place]:
            if zlib.crc32(record) != self._sums[place]:
                raise ValueError(f'{path} holds a record whose checksum is another: damaged; '
                                 f'{REMEDY}')
            self._seen[place] = True
        return record


def difference(theirs: Any, ours: Any) -> str:
    """What differs first between two plain values, in a few words."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name in {**theirs, **ours}:
            if theirs.get(name) != ours.get(name):
                inner = difference(theirs.get(name), ours.get(name))
                return f'{name}: {inner}'
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        return next((difference(a, b) for a, b in zip(theirs, ours) if a != b), '')
    return f'{theirs!r} there, {ours!r} here'
