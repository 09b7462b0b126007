"""Fragments of an index: files that many machines write apart, and that merge into one.

A fragment is whole or not there, and holds videos by path, size and time of change, so that writing
or merging one twice changes nothing.
"""
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmbt.files.atomic import whole_file
from mmbt.files.json_text import parse_json
from mmbt.files.npz import read_npz

from .copies import Copies
from .lance_table import from_stored, shown, to_stored
from .moment_index import MomentIndex
from .moment_rows import check_made_by
from .stamps import PathLike
from .video_rows import VideoRow, fault_of
from .windows import Window

SUFFIX = '.fragment.npz'
ARRAYS = dict(paths='U', errors='U', numbers='i', durations='f', times='f', embeddings='f',
              baseline='f', has_baseline='b', made_by='U')


class Embedded(NamedTuple):
    """A video with its W windows, (W, E) embeddings and, where there is one, baseline."""

    video: VideoRow
    windows: Sequence[Window]
    embeddings: np.ndarray
    baseline: np.ndarray | None = None


class Merged(NamedTuple):
    """How many fragments were read, and videos added; ``kept`` were known as well or better.

    ``copies`` were left out, since another of the videos is the same, see :class:`.copies.Copies`.
    """

    fragments: int
    added: int
    kept: int
    copies: int = 0


def write_fragment(folder: PathLike, name: str, rows: Iterable[Embedded], *, width: int,
                   made_by: dict[str, Any]) -> Path:
    """Write a fragment in the place of one of this name.

    Args:
        folder: Of the fragments; made where there is none.
        name: Of this one, as 'part_3'.
        rows: Its videos; also those that could not be read, with their error.
        width: E.
        made_by: As :meth:`.moment_index.MomentIndex.create` takes it.

    Returns:
        The file.

    Raises:
        ValueError: If the name is none of a file.
        OSError: If it cannot be written.
    """
    if not name or '/' in name or name.startswith('.'):
        raise ValueError(f'a fragment cannot be named {name!r}')
    rows = [Embedded(*row) for row in rows]
    none: np.ndarray = np.zeros((0, width), np.float32)
    videos = [row.video for row in rows]
    path = Path(folder) / f'{name}{SUFFIX}'
    with whole_file(path) as draft, open(draft, 'wb') as file:
        np.savez(
            file,
            paths=to_array(to_stored(video.path) for video in videos),
            errors=to_array(video.error for video in videos),
            numbers=np.array([(video.size, video.mtime_ns, video.windows) for video in videos],
                             np.int64).reshape(-1, 3),
            durations=np.array([video.duration for video in videos], np.float64),
            times=np.array([tuple(window) for row in rows for window in row.windows],
                           np.float64).reshape(-1, 2),
            embeddings=np.concatenate([none, *(row.embeddings for row in rows)]).astype(np.float16),
            baseline=np.concatenate([none, *(row.baseline for row in rows
                                             if row.baseline is not None)]).astype(np.float16),
            has_baseline=np.array([row.baseline is not None for row in rows], np.bool_),
            made_by=to_array([json.dumps(dict(width=width, made_by=made_by))]))
    return path


def read_fragment(path: PathLike) -> tuple[int, dict[str, Any], list[Embedded]]:
    """A fragment's width, what it was made by, and its videos.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it is none, or damaged; in one line.
    """
    damaged = f'{shown(path)} is no fragment of an index, or damaged'
    if not Path(path).is_file():
        raise FileNotFoundError(f'fragment {shown(path)} is missing')
    try:
        arrays = read_npz(path, tuple(ARRAYS))
        told = parse_json(str(arrays['made_by'].reshape(-1)[0]), str(path))
        width, made_by = told['width'], told['made_by']
        count, windows = len(arrays['paths']), int(arrays['numbers'][:, 2].sum())
        with_baseline = int(arrays['numbers'][arrays['has_baseline'], 2].sum())
        paths, errors = arrays['paths'].tolist(), arrays['errors'].tolist()
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise ValueError(damaged) from error
    shapes = dict(paths=(count, ), errors=(count, ), numbers=(count, 3), durations=(count, ),
                  times=(windows, 2), embeddings=(windows, width),
                  baseline=(with_baseline, width), has_baseline=(count, ), made_by=(1, ))
    if (type(width) is not int or not isinstance(made_by, dict)
            or (arrays['numbers'][:, 2] < 0).any()
            or any(arrays[name].shape != shapes[name] or arrays[name].dtype.kind != kind
                   for name, kind in ARRAYS.items())):
        raise ValueError(damaged)
    return width, made_by, list(_rows(damaged, arrays, paths, errors))


def _rows(damaged: str, arrays: dict[str, np.ndarray], paths: list[str],
          errors: list[str]) -> Iterator[Embedded]:
    start = start_baseline = 0
    for stored, error, (size, changed, windows), duration, with_baseline in zip(
            paths, errors, arrays['numbers'].tolist(), arrays['durations'].tolist(),
            arrays['has_baseline'].tolist()):
        row = VideoRow(from_stored(stored), size, changed, duration,
                       windows, error)
        why = fault_of(row)
        if why:
            raise ValueError(f'{damaged}: {shown(row.path)[:200]} {why}')
        baseline = None
        if with_baseline:
            baseline = arrays['baseline'][start_baseline:start_baseline + windows]
            start_baseline += windows
        times = arrays['times'][start:start + windows].tolist()
        yield Embedded(row, [Window(*each) for each in times],
                       arrays['embeddings'][start:start + windows], baseline)
        start += windows


def merge_fragments(folder: PathLike, out: PathLike,
                    progress: Callable[[int, int], Any] | None = None) -> Merged:
    """Add the fragments of a folder to an index; merging them again changes nothing.

    Of a video that is in several, the one that could be read and was changed last counts.

    Args:
        folder: Of the fragments.
        out: The index's, made where there is none.
        progress: Called after each fragment with how many of how many are done.

    Raises:
        FileNotFoundError: If there is no fragment.
        ValueError: If one is damaged, or made otherwise than the index.
        OSError: If the index cannot be written.
    """
    paths = sorted(Path(folder).glob(f'*{SUFFIX}'))
    if not paths:
        raise FileNotFoundError(f'{shown(folder)} has no fragments (*{SUFFIX})')
    added = kept = copies = 0
    index: MomentIndex | None = None
    for done, path in enumerate(paths, start=1):
        width, made_by, rows = read_fragment(path)
        if index is None:
            index = MomentIndex.create(out, width, made_by)
            contents = Copies((row.path, row.size) for row in index.videos() if not row.error)
        check_made_by(str(path), index.made_by, made_by)
        for row in rows:
            video = row.video
            if not is_better(video, index.known(video.path)):
                kept += 1
            elif not video.error and contents.first_of(video.path, video.size) is not None:
                copies += 1
            else:
                index.add(*row)
                added += 1
                if not video.error:
                    contents.add(video.path, video.size)
        if progress is not None:
            progress(done, len(paths))
    assert index is not None
    index.flush()
    return Merged(len(paths), added, kept, copies)


def is_better(new: VideoRow, known: VideoRow | None) -> bool:
    """Whether a row takes the place of another: it was changed later, or could be read at last."""
    if known is None:
        return True
    return (new.mtime_ns, not new.error) > (known.mtime_ns, not known.error)


def to_array(texts: Iterable[str]) -> np.ndarray:
    """An array of texts that needs no pickle."""
    return np.array(list(texts), np.str_)
