"""Where the index of a folder or a file lies that nobody has named a place for."""
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .index_folder import SETTINGS


def cache_folder() -> Path:
    """The user's cache of mmbt: ``$XDG_CACHE_HOME/mmbt``, else ``~/.cache/mmbt``."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return Path(home, 'mmbt')


def place_for(path: str | os.PathLike, made_by: dict[str, Any],
              base: str | os.PathLike | None = None) -> Path:
    """The place of a path's index by one model, which no folder of videos is written to for.

    Args:
        path: A folder or a file.
        made_by: What the index depends on, see :meth:`.encoder.Encoder.made_with`.
        base: Where indexes are kept. Defaults to the cache.
    """
    path = os.path.abspath(path)
    depends = {name: value for name, value in made_by.items() if name != 'model_card'}
    key = os.fsencode(path) + b'\0' + json.dumps(depends, sort_keys=True).encode()
    name = re.sub(r'[^\w.-]', '_', os.path.basename(path), flags=re.ASCII)[:40]
    within = cache_folder() / 'search' if base is None else Path(base)
    return within / f'{name}-{hashlib.sha256(key).hexdigest()[:16]}'


def place_of(path: str | os.PathLike, made_by: dict[str, Any]) -> Path | None:
    """The index that holds a path: its own, else the nearest of a folder above; None without."""
    places = (place_for(each, made_by) for each in _upward(os.path.abspath(path)))
    return next((place for place in places if (place / SETTINGS).is_file()), None)


def _upward(path: str) -> Iterator[str]:
    while True:
        yield path
        above = os.path.dirname(path)
        if above == path:
            return
        path = above
