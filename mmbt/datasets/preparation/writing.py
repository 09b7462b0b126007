"""Where prepared lists go, and the names of missing videos."""
import os.path as osp
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable

from .report import Counts


def check_target(path: str, inputs: list[str]) -> str:
    """Return ``path``, unless it is one of the published files that are read.

    Raises:
        ValueError: If writing would overwrite an input.
    """
    if osp.exists(path) and any(osp.exists(source) and osp.samefile(path, source)
                                for source in inputs):
        raise ValueError(f'{path} is read and would be overwritten: move the published file to a '
                         'folder of its own, or give another --out')
    return path


@contextmanager
def missing_names(out: str, split: str, counts: Counts) -> Iterator[Callable[[str], object]]:
    """A function that notes a missing video in ``out/missing_SPLIT.txt``.

    The file is there only where videos are missing.
    """
    path = Path(out, f'missing_{split}.txt')
    with whole_file(path) as draft, open(draft, 'w', encoding='utf-8') as file:
        yield lambda video: file.write(f'{printable(video)}\n')
    if counts.there < counts.videos:
        counts.missing_file = str(path)
    else:
        path.unlink()
