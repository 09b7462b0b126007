"""The class names of a recognition set, which data and models share."""
import re

from mmbt.files.text import read_lines, shorten

# Where a word begins within a name in CamelCase: before a capital that follows a small letter or a
# digit, and before the last capital of a row that a small letter follows.
_WORD = re.compile(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])')


def to_words(name: str) -> str:
    """Write a class name as words: 'ApplyEyeMakeup' and 'apply_eye_makeup' -> 'apply eye makeup'.

    Underscores become spaces, a name in CamelCase is split before its capitals, and its words are
    written small except those in capitals alone, which stay: 'YoYo' -> 'yo yo', 'TVShow' ->
    'TV show'. A name that holds a space already is returned as it is.

    Args:
        name: The name as a set publishes it.

    Returns:
        Its words.
    """
    if ' ' in name:
        return name
    words = _WORD.sub(' ', name.replace('_', ' ')).split()
    return ' '.join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def read_classes(path: str, class_names: str = 'words') -> list[str]:
    """Read class names, one a line, in label order; blank lines are passed over.

    Args:
        path: The class file.
        class_names: 'words' writes them as :func:`to_words` does; 'raw' leaves them.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is empty, not UTF-8, or a name occurs twice or has no words ('_').
    """
    if class_names not in ('words', 'raw'):
        raise ValueError(f"class_names must be 'words' or 'raw', got {class_names!r}")
    seen: dict[str, int] = {}
    for number, line in read_lines(path, 'class file', 'class_file'):
        name = to_words(line.strip()) if class_names == 'words' else line.strip()
        if not name.strip('_ ') and class_names == 'words':
            raise ValueError(f'{path} line {number}: {shorten(line)} is no name of a class; put '
                             'its name there, since the classes below count from it')
        if name in seen:
            raise ValueError(f'{path} line {number} repeats class {shorten(name)} of line '
                             f'{seen[name]}')
        seen[name] = number
    return list(seen)
