"""The newest checkpoint of a work folder that is whole, by the checksums that its zip has."""
import os
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

RECORD = 'last_checkpoint'
SAVED = re.compile(r'(iter|epoch)_(\d+)\.pth')
ZIP = b'PK\x03\x04'
# What zipfile raises for files that are cut short or otherwise damaged.
DAMAGED = (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, LookupError, OverflowError,
           zlib.error)


def latest_checkpoint(folder: str | Path,
                      tell: Callable[[str], object] = lambda line: None) -> str | None:
    """The checkpoint that a run in a folder goes on from.

    It is the one that ``last_checkpoint`` names, by its name in this folder, since the folder may
    have been copied; where that is missing, lost or damaged, the newest of the folder's others. A
    file of another folder is taken where this one has none.

    Args:
        folder: The work folder.
        tell: Called with one line where it is not the one that was recorded.

    Returns:
        Its path; None where there is none.

    Raises:
        ValueError: If there are some, and all are damaged.
    """
    folder = Path(folder)
    recorded = _read_record(folder)
    if '://' in recorded:  # kept on a server
        return recorded
    inside = folder / Path(recorded).name if recorded else folder
    candidates = ([inside] if recorded and inside.is_file() else []) + [
        path for path in saved(folder) if path != inside]
    if not candidates and recorded and Path(recorded).is_file():
        tell(f'{folder} holds no checkpoint; {RECORD} in it names one of another folder, which is '
             f'taken: {recorded}')
        candidates = [Path(recorded)]
    return _first_whole(candidates, inside if recorded else None, tell)


def _first_whole(candidates: list[Path], recorded: Path | None,
                 tell: Callable[[str], object]) -> str | None:
    """The first of some checkpoints that is not damaged; see :func:`latest_checkpoint`."""
    damaged: list[tuple[Path, str]] = []
    for path in candidates:
        why = damage_of(path) or _strangeness_of(path)
        if why is None:
            if damaged:
                names = ', '.join(f'{each} ({reason})' for each, reason in damaged)
                tell(f'{names} cannot be used; going on from {path}')
            elif recorded is not None and path != recorded and not recorded.is_file():
                tell(f'{recorded} is missing; going on from {path}')
            return str(path)
        damaged.append((path, why))
    if damaged:
        path, why = damaged[0]
        raise ValueError(f'{path} cannot be used ({why}), nor can any other checkpoint in '
                         f'{path.parent}: copy one anew, or train without --resume')
    return None


def _strangeness_of(path: Path) -> str | None:
    """What is wrong with a file that begins neither as a zip file nor as torch's older ones."""
    with open(path, 'rb') as file:
        head = file.read(2)
    return None if head[:1] == b'\x80' or head == b'PK' else 'it is no checkpoint'


def _read_record(folder: Path) -> str:
    """What ``last_checkpoint`` says, '' where a kill or a full disk has emptied it."""
    try:
        return os.fsdecode((folder / RECORD).read_bytes().strip(b'\0 \r\n'))
    except FileNotFoundError:
        return ''


def saved(folder: Path) -> list[Path]:
    """A folder's checkpoints, the newest first.

    Of those by iterations, and of those by epochs, a higher number is newer, whatever times a copy
    has given them; between the two kinds the time decides.
    """
    by_kind: list[list[Path]] = []
    for kind in ('iter', 'epoch'):
        numbered = {int(match[2]): path for path in folder.glob(f'{kind}_*.pth')
                    if (match := SAVED.fullmatch(path.name))}
        by_kind.append([numbered[number] for number in sorted(numbered, reverse=True)])
    iters, epochs = by_kind
    merged: list[Path] = []
    while iters and epochs:
        later = max((iters, epochs), key=lambda kind: kind[0].stat().st_mtime_ns)
        merged.append(later.pop(0))
    return merged + iters + epochs


def damage_of(path: str | Path) -> str | None:
    """What is wrong with a zip file, by the checksum that it has of each part.

    torch reads ``.pth`` files without a look at them. A gigabyte takes about a second.

    Args:
        path: The file.

    Returns:
        A few words; None of a file that is whole, or of another kind: files of torch before 1.6
        have no checksum.
    """
    try:
        with open(path, 'rb') as file:
            head = file.read(len(ZIP))
        if not ZIP.startswith(head):
            return None
        if not head:
            return 'it is empty'
        with zipfile.ZipFile(path) as archive:
            recorded = any(part.CRC for part in archive.infolist())  # torch may leave them out
            bad = archive.testzip() if recorded else None
    except OSError as error:
        return f'it cannot be read: {error.strerror or error}'
    except DAMAGED as error:
        return f'it is cut short or damaged: {(str(error).splitlines() or ["unreadable"])[0]}'
    return None if bad is None else f'the checksum of {bad} is another'
