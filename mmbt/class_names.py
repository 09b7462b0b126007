"""The class names of a recognition set, which data and models share."""
import os.path as osp


def read_classes(path: str) -> list[str]:
    """Read class names, one a line, in label order; blank lines are passed over.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If it is empty, or a name occurs twice.
    """
    if not osp.isfile(path):
        raise FileNotFoundError(f'class file {path} is missing: put it there or set class_file')
    seen: dict[str, int] = {}
    with open(path, encoding='utf-8') as file:
        for number, line in enumerate(file, start=1):
            name = line.strip()
            if name in seen:
                raise ValueError(
                    f'{path} line {number} repeats class {name!r} of line {seen[name]}')
            if name:
                seen[name] = number
    if not seen:
        raise ValueError(f'class file {path} is empty')
    return list(seen)
