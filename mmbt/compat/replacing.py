"""How a function of upstream's gives way to one of ours."""
from collections.abc import Callable
from typing import Any


def replace(owner: Any, name: str, original: Callable, replacement: Callable) -> None:
    """Set ``owner.name``, unless what it holds is already a replacement of ours."""
    if hasattr(original, '_replaced_by_mmbt'):
        return
    replacement._replaced_by_mmbt = True  # type: ignore[attr-defined]
    kind = type(vars(owner)[name])
    setattr(owner, name, kind(replacement) if kind in (classmethod, staticmethod) else replacement)
