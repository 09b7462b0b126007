"""MSVD's videos have two names: ``youtube_mapping.txt`` says which ``vid7`` is which clip."""
import re
from collections.abc import Callable

from .annotations import read_lines
from .video_files import without_suffix

_LINE = re.compile(r'(\S+)\s+(vid\d+)')


def is_mapping(path: str) -> bool:
    """Whether each line of a file is a clip of YouTube's and a ``vid`` with a number."""
    return all(_LINE.fullmatch(line.strip()) for _, line in read_lines(path))


def read_mapping(path: str) -> Callable[[str], list[str]]:
    """Read ``-4wsuPCjDBc_5_15 vid1`` and so on.

    Args:
        path: The file.

    Returns:
        From a video's name, with or without suffix, to its other name; none if it has none.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a line has another form, or a name stands in two lines.
    """
    other: dict[str, str] = {}
    for number, line in read_lines(path):
        found = _LINE.fullmatch(line.strip())
        if not found:
            raise ValueError(f"{path} line {number} must be a clip's name, a space and vid with a "
                             'number')
        for name, its_other in (found.groups(), found.groups()[::-1]):
            if other.setdefault(name, its_other) != its_other:
                raise ValueError(f'{path} line {number} gives {name} another name than a line '
                                 'above')
    return lambda video: [other[stem] for stem in (without_suffix(video), ) if stem in other]
