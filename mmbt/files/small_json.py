"""Read small JSON files from strangers: settings, indexes of folders, manifests."""
import json
import os
from pathlib import Path
from typing import Any, NoReturn, Union

MOST_BYTES = 2**24
DEEPEST = 30


def read_small_json(path: Union[str, Path], most_bytes: int = MOST_BYTES) -> Any:
    """What a JSON file holds.

    Args:
        path: The file, UTF-8.
        most_bytes: A larger file is refused before it is read.

    Raises:
        OSError: It cannot be opened.
        ValueError: It is too large, nested too deep, or no JSON; the line begins with its name.
    """
    with open(path, 'rb') as file:
        size = os.fstat(file.fileno()).st_size
        if size > most_bytes:
            raise ValueError(f'{path} has {size:,} bytes; such a file has {most_bytes:,} at most')
        data = file.read(most_bytes)
    try:
        content = json.loads(data.decode('utf-8-sig'), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = 'nested too deep' if isinstance(error, RecursionError) else error
        raise ValueError(f'{path} is no json ({reason}); is it whole?') from error
    if depth(content) > DEEPEST:
        raise ValueError(f'{path} is nested deeper than {DEEPEST} levels')
    return content


def depth(content: Any) -> int:
    """How deep lists and dicts are nested in what JSON can hold."""
    level, current = 0, [content]
    while current := [value for each in current if isinstance(each, (dict, list))
                      for value in (each.values() if isinstance(each, dict) else each)]:
        level += 1
    return level


def _no_number(name: str) -> NoReturn:
    raise ValueError(f'{name} is no number of json')
