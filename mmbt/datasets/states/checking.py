"""Checks of a folder of states: whether all is there, sound, and has room."""
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmbt.files.append_log import Journal
from mmbt.files.json_text import read_json

from .layout import JOURNAL, MANIFEST, StatesForm


def check_states(folder: str | Path) -> list[str]:
    """Read all records, and take files whose checksums are others out, to be written again.

    Args:
        folder: What ``mmbt cache`` wrote, all or part of it.

    Returns:
        The names of those files.

    Raises:
        FileNotFoundError: If it has no journal.
        ValueError: If the journal is damaged.
    """
    folder = Path(folder)
    path = folder / JOURNAL
    if not path.is_file():
        raise FileNotFoundError(f'{path} is missing: is it a folder of mmbt cache?')
    with open(path, encoding='utf-8') as lines:
        made_by = json.loads(next(lines, '{}')).get('made_by', {})
    form = StatesForm.from_dict(made_by.get('form'), str(path))
    bad = []
    with Journal(path, made_by) as journal:
        whole = {each['file']: each['crc32'] for each in journal.records}
        for name, sums in whole.items():
            file = folder / name
            if not file.is_file() or not holds(file, sums, form.record_bytes):
                bad.append(name)
                file.unlink(missing_ok=True)
    if bad:
        (folder / MANIFEST).unlink(missing_ok=True)
    return bad


def holds(path: Path, sums: Sequence[int], size: int) -> bool:
    """Whether a file has records of these checksums and nothing else."""
    if path.stat().st_size != len(sums) * size:
        return False
    with open(path, 'rb') as file:
        return all(zlib.crc32(file.read(size)) == each for each in sums)


def is_whole(folder: str | Path) -> bool:
    """Whether all states of a folder are there."""
    path = Path(folder, MANIFEST)
    return path.is_file() and 'form' in read_json(path, dict, 'list of frozen states')


def check_space(folder: Path, size: int, done: Mapping[str, Sequence[int]],
                form: StatesForm) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        ValueError: If it has not.
    """
    left = size - sum(len(sums) for sums in done.values()) * form.record_bytes
    free = shutil.disk_usage(folder).free
    if left > free:
        raise ValueError(f'{folder}: the frozen states take {size / 1e9:.1f} GB, {left / 1e9:.1f} '
                         f'more than are there, and the disk has {free / 1e9:.1f}: choose another '
                         'folder, --visible, --dtype bfloat16 or float8, or fewer draws')
