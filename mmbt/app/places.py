"""Where the index of a folder lies that nobody has named a place for."""
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any


def cache_folder() -> Path:
    """The user's cache of mmbt: ``$XDG_CACHE_HOME/mmbt``, else ``~/.cache/mmbt``."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return Path(home, 'mmbt')


def index_place(folder: str, made_by: dict[str, Any],
                base: str | os.PathLike | None = None) -> Path:
    """The place of a folder's index by one model.

    Args:
        folder: Whose videos it holds.
        made_by: What the index depends on, see :meth:`mmbt.search.encoder.Encoder.made_with`.
        base: Where indexes are kept. Defaults to the cache, where ``mmbt search`` keeps its own.
    """
    depends = {name: value for name, value in made_by.items() if name != 'model_card'}
    key = os.fsencode(os.path.abspath(folder)) + b'\0' + json.dumps(
        depends, sort_keys=True).encode()
    name = re.sub(r'[^\w.-]', '_', os.path.basename(folder), flags=re.ASCII)[:40]
    within = cache_folder() / 'search' if base is None else Path(base)
    return within / f'{name}-{hashlib.sha256(key).hexdigest()[:16]}'
