"""Read the arrays of an .npz file, none of which takes more memory than the file allows for.

numpy takes the memory for what a header says before it looks for the values.
"""
import math
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from .checkpoint_file import check_records
from .safe_load import first_line

KINDS = 'biufU'  # booleans, numbers, texts


def read_npz(path: str | Path, names: Sequence[str],
             optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of these names; others are left where they are.

    Args:
        path: The file.
        names: Of the arrays: plain numbers, or texts.
        optional: Names of such as it may lack.

    Raises:
        OSError: The file cannot be opened.
        ValueError: It is damaged, or lacks one of them; in one line, without the file's name.
    """
    with open(path, 'rb') as opened:
        size = Path(path).stat().st_size
        try:
            with zipfile.ZipFile(opened) as file:
                records = check_records(file.infolist(), size)
                wanted = [*names, *(name for name in optional if f'{name}.npy' in records)]
                return {name: _read_npy(file.read(records[f'{name}.npy'])) for name in wanted}
        except KeyError as error:
            raise ValueError(f'it has no {first_line(error)}') from error
        except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds
            raise ValueError(first_line(error)) from error


def _read_npy(data: bytes) -> np.ndarray:
    """The array of an .npy file.

    Raises:
        ValueError: If it is none, or of another size than its header says.
    """
    file = BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0,
                   (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read_header is None:
        raise ValueError(f'an array of form {version}')
    shape, columns_first, dtype = read_header(file)
    if dtype.kind not in KINDS or dtype.hasobject or any(n < 0 for n in shape):
        raise ValueError(f'an array of {dtype}')
    left = len(data) - file.tell()
    if math.prod(shape) * dtype.itemsize != left:
        raise ValueError(f'an array of {shape} in {left} bytes')
    values = np.frombuffer(data, dtype, offset=file.tell()) if left else np.zeros(shape, dtype)
    return values.reshape(shape, order='F' if columns_first else 'C').copy()
