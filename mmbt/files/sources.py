"""A checksum of source files: equal as long as they do the same for the same reasons."""
import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

LENGTH = 12
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def digest(paths: Iterable[Path], root: Path) -> str:
    """A few hex digits that change with the code or the name of any file.

    Comments, docstrings and layout count for nothing.

    Args:
        paths: Python files below ``root``, in any order.
        root: The folder that their names are told from.

    Raises:
        SyntaxError: If a file is no Python.
    """
    total = hashlib.sha256()
    for name, path in sorted((path.relative_to(root).as_posix(), path) for path in paths):
        total.update(f'{name}\n{_code_of(path)}\n'.encode())
    return total.hexdigest()[:LENGTH]


def _code_of(path: Path) -> str:
    """What a file's code says, without what is said about it."""
    tree = ast.parse(path.read_bytes(), str(path))
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)
