"""Whether a file of the zip kind, such as ``.pth`` and ``.npz``, is the one that was written."""
import zipfile
import zlib
from pathlib import Path

ZIP = b'PK\x03\x04'
# What zipfile raises for files that are cut short or otherwise damaged.
DAMAGED = (zipfile.BadZipFile, EOFError, ValueError, RuntimeError, LookupError, OverflowError,
           zlib.error)


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
