"""The class names of a recognition set, which data and models share."""
import os.path as osp
import re

# Where a word begins within a name in CamelCase: before a capital that follows a small letter or a
# digit, and before the last capital of a row that a small letter follows.
_WORD = re.compile(r'(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])')


def to_words(name: str) -> str:
    """Write a class name as words: 'ApplyEyeMakeup' and 'apply_eye_makeup' -> 'apply eye makeup'.

    Underscores become spaces, a name in CamelCase is split before its capitals, and its words are
    written small except those in capitals alone, which stay: 'YoYo' -> 'yo yo', 'TVShow' ->
    'TV show'. A name that holds a space already is returned as it is.

    Args:
        name (str): The name as a set publishes it.

    Returns:
        str: Its words.
    """
    if ' ' in name:
        return name
    words = _WORD.sub(' ', name.replace('_', ' ')).split()
    return ' '.join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def read_classes(path: str, class_names: str = 'words') -> list[str]:
    """Read class names, one a line, in label order; blank lines are passed over.

    Args:
        path (str): The class file.
        class_names (str): 'words' writes them as :func:`to_words` does; 'raw' leaves them.
            Defaults to 'words'.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is empty, or a name occurs twice.
    """
    if class_names not in ('words', 'raw'):
        raise ValueError(f"class_names must be 'words' or 'raw', got {class_names!r}")
    if not osp.isfile(path):
        raise FileNotFoundError(f'class file {path} is missing: put it there or set class_file')
    seen: dict[str, int] = {}
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, start=1):
            name = line.strip()
            if class_names == 'words':
                name = to_words(name)
            if name in seen:
                raise ValueError(
                    f'{path} line {number} repeats class {name!r} of line {seen[name]}')
            if name:
                seen[name] = number
    if not seen:
        raise ValueError(f'class file {path} is empty')
    return list(seen)
