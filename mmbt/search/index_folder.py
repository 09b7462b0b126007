"""The folder of an index: begun once, and read only where it is one."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import read_json
from mmbt.files.lock import Lock

from .lance_table import LanceTable, shown
from .moment_rows import check_made_by, moment_schema
from .probe import check_origin, remember
from .stamps import PathLike
from .video_rows import video_schema
from .windows import WindowPlan

FORM = 'mmbt moments 1'
SETTINGS = 'index.json'
MOMENTS, VIDEOS = 'moments.lance', 'videos.lance'
MOST_SETTINGS = 2**22  # bytes
WIDEST = 2**16
PATIENCE = 60.  # seconds to wait for another process that begins the same index


class Settings(NamedTuple):
    """E, and what the embeddings depend on."""

    width: int
    made_by: dict[str, Any]


def begin_index(folder: PathLike, width: int, made_by: dict[str, Any]) -> None:
    """Make tables and settings where there is none; see :meth:`.MomentIndex.create`."""
    folder = Path(os.path.abspath(folder))
    settings = folder / SETTINGS
    if not 1 <= width <= WIDEST:
        raise ValueError(f'width must be 1 to {WIDEST}, got {width}')
    if settings.exists():
        return
    others = [name for name in os.listdir(folder) if name not in (MOMENTS, VIDEOS)
              and not name.startswith(SETTINGS)] if folder.is_dir() else []
    if others:
        raise ValueError(f'{shown(folder)} is no index and not empty: name a new folder for the '
                         'index')
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder / f'{SETTINGS}.lock', f'index {folder}', wait=PATIENCE):
        if not settings.exists():
            LanceTable.create(folder / MOMENTS, folder, moment_schema(width))
            LanceTable.create(folder / VIDEOS, folder, video_schema())
            with whole_file(settings) as draft:
                draft.write_text(json.dumps(dict(form=FORM, width=width, made_by=made_by),
                                            indent=1), encoding='utf-8')
            remember(folder, settings)


def read_settings(folder: PathLike, made_by: dict[str, Any] | None = None) -> Settings:
    """What an index says of itself, once what it holds is known to be readable.

    Args:
        folder: Of the index.
        made_by: What it has to be made by. Defaults to anything.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged, or was made by something else; in one line.
    """
    settings = Path(folder) / SETTINGS
    if not settings.is_file():
        raise FileNotFoundError(f'index {shown(folder)} is missing: it has no {SETTINGS}')
    found = read_json(settings, dict, 'index', most=MOST_SETTINGS)
    width, theirs = found.get('width'), found.get('made_by')
    if found.get('form') != FORM or not isinstance(theirs, dict) or not (
            type(width) is int and 1 <= width <= WIDEST) or not _is_plan(theirs.get('windows')):
        raise ValueError(f'{shown(settings)} is damaged or of another version of mmbt: make the '
                         'index anew')
    if made_by is not None:
        check_made_by(str(folder), made_by, theirs)
    check_origin(Path(os.path.abspath(folder)), settings)
    return Settings(width, theirs)


def _is_plan(windows: Any) -> bool:
    """Whether it says how videos are cut, or nothing."""
    try:
        return windows is None or bool(WindowPlan(**windows))
    except (TypeError, ValueError):
        return False
