"""Results on disk: what a finished run left, and who made it."""
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mmbt.files.json_text import read_json

BEFORE = '0.1.0'
"""The version of results that do not tell theirs."""


@dataclass(frozen=True)
class Origin:
    """Who measured; results of two origins are not compared.

    Attributes:
        version: Of mmbt; code that is the same may have two.
        sources: Digest of its code; empty where the result does not tell.
        libraries: Names and versions, of mmbt too where there is no digest.
        old: Whether the code, a config or a library has changed since.
    """

    version: str = field(compare=False)
    sources: str
    libraries: tuple[tuple[str, str], ...]
    old: bool


def read(path: Path) -> dict[str, Any]:
    """A run's ``result.json``, with ``finished`` where it was written before there was one."""
    result = read_json(path, dict, 'result')
    if 'finished' not in result:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        result['finished'] = written.isoformat(timespec='seconds')
    return result


def origin_of(result: dict[str, Any], old: bool) -> Origin:
    """Who made a result."""
    libraries = result.get('libraries') or result.get('versions', {})
    version = result.get('version') or libraries.get('mmbt', BEFORE)
    return Origin(version, result.get('sources', ''), tuple(sorted(libraries.items())), old)


def former_results(folder: Path, world: str,
                   current: Collection[str]) -> dict[str, list[tuple[str, Path]]]:
    """Results in a seed's folder of runs that none of the current runs made.

    Args:
        folder: A folder for each run.
        world: Name of the world that they are to be of.
        current: Names of the current runs' folders.

    Returns:
        Row -> when it was finished, and ``result.json``, of each.
    """
    found: dict[str, list[tuple[str, Path]]] = {}
    for path in folder.glob('*/result.json'):
        if path.parent.name in current:
            continue
        result = read(path)
        if result.get('world') == world and 'row' in result:
            found.setdefault(result['row'], []).append((result['finished'], path))
    return found
