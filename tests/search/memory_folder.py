"""A stand-in for the index in a folder: what a process has put there, and a mark in the folder."""
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from mmbt.search.memory_index import MemoryIndex

NAME = 'mmbt.search.moment_index'
MARK = 'stand-in'


class MomentIndex(MemoryIndex):
    """Indexes by their folders; the face of the real one."""

    made: dict[Path, 'MomentIndex'] = {}

    @classmethod
    def create(cls, folder, width, made_by):
        path = Path(folder).resolve()
        path.mkdir(parents=True, exist_ok=True)
        if list(path.iterdir()):
            raise ValueError(f'{folder} is no index and not empty: name a new folder')
        (path / MARK).touch(exist_ok=False)
        cls.made[path] = cls(width, made_by)
        return cls.made[path]

    @classmethod
    def open(cls, folder, made_by=None):
        path = Path(folder).resolve()
        if not (path / MARK).exists():
            raise FileNotFoundError(f'index {folder} is missing')
        index = cls.made[path]
        for name, value in (made_by or {}).items():
            if index.made_by.get(name) != value:
                raise ValueError(f'index {folder} was made by another {name}; make it anew')
        return index


def stand_in(monkeypatch):
    """Put it in the place of the real one where that is not there."""
    if find_spec(NAME) is None:
        module = ModuleType(NAME)
        module.MomentIndex = MomentIndex
        monkeypatch.setitem(sys.modules, NAME, module)
