"""Whether a file of the zip kind, such as ``.pth`` and ``.npz``, is the one that was written."""
import zipfile
from pathlib import Path
from typing import Optional, Union

# What zipfile raises for files that are cut short or otherwise damaged.
DAMAGED = (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError, NotImplementedError,
           LookupError, OverflowError)


def damage_of(path: Union[str, Path]) -> Optional[str]:
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
            if file.read(4) != b'PK\x03\x04':
                return 'it is empty' if Path(path).stat().st_size == 0 else None
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
    except DAMAGED as error:
        return f'it is cut short or damaged: {(str(error).splitlines() or ["unreadable"])[0]}'
    return None if bad is None else f'the checksum of {bad} is another'
