"""WebVid's tables, which are read as they are published: checked, and filtered on request."""
import csv
import os.path as osp
from collections.abc import Callable, Iterator

from mmbt.files.atomic import whole_file
from mmbt.files.tables import delimiter_of

from ..annotations import read_rows
from .finding import VideoFinder
from .report import Counts, Official
from .writing import check_target, missing_names

_COLUMNS = ('videoid', 'page_dir', 'name')
SIZES = {'results_2M_train': Official(videos=2_500_000, about=True),
         'results_10M_train': Official(videos=10_700_000, about=True)}


def prepare_webvid(annotations: list[str], videos: str, out: str, split: str,
                   drop_missing: bool) -> list[Counts]:
    """Check tables of the 2M or 10M layout row by row, however many rows there are.

    A table keeps its columns, its order and its name. It is written where it is not in ``out``
    already; with ``drop_missing`` only rows whose video is there are.

    Args:
        annotations: Tables, csv.
        videos: Folder with ``page_dir/videoid.mp4``, or folders of frames.
        out: Folder to write to.
        split: Names the list of missing videos, with the table.
        drop_missing: Leave out rows whose video is not there.

    Returns:
        For each table.

    Raises:
        ValueError: If a table lacks a column or a value, or would be overwritten.
    """
    finder = VideoFinder(videos, by_name=False)
    return [_prepare_table(path, finder, out, drop_missing) for path in annotations]


def _prepare_table(path: str, finder: VideoFinder, out: str, drop_missing: bool) -> Counts:
    stem = osp.splitext(osp.basename(path))[0]
    counts = Counts(f'webvid {stem}', finder.folder, official=SIZES.get(stem, Official()))
    target = osp.join(out, osp.basename(path))
    as_it_is = not drop_missing and osp.exists(target) and osp.samefile(target, path)
    if as_it_is:
        counts.notes.append(f'{path} is read as it is')
    else:
        check_target(target, [path])
    with missing_names(out, stem, counts) as note:
        if as_it_is:
            for _ in _checked(path, finder, counts, note, drop_missing):
                pass
        else:
            with whole_file(target) as draft, open(draft, 'w', encoding='utf-8',
                                                   newline='') as file:
                csv.writer(file, delimiter=delimiter_of(path)).writerows(
                    _checked(path, finder, counts, note, drop_missing))
                if not counts.kept:
                    raise ValueError(f'none of the {counts.videos:,} videos is in '
                                     f'{finder.folder}: nothing to write; check --videos')
            counts.written = target
    return counts


def _checked(path: str, finder: VideoFinder, counts: Counts, note: Callable[[str], object],
             drop_missing: bool) -> Iterator[list[str]]:
    """Yield the header and the rows to keep."""
    rows = _rows(path)
    header = next(rows)
    places = [header.index(column) for column in _COLUMNS]
    yield header
    empty = 0
    for row in rows:
        videoid, page_dir, name = (row[place] for place in places)
        video = f'{page_dir}/{videoid}.mp4'
        there = finder.find(video) is not None
        counts.rows += 1
        empty += not name.strip()
        counts.add(video, there, 1)
        if not there:
            note(video)
        if there or not drop_missing:
            counts.kept += 1
            yield row
    if empty:
        counts.notes.append(f'{empty:,} captions are empty; training leaves them out')


def _rows(path: str) -> Iterator[list[str]]:
    """Yield a table's rows, the header first, each with a value for every needed column."""
    rows = read_rows(path)
    _, header = next(rows)
    lacking = [column for column in _COLUMNS if column not in header]
    if lacking:
        raise ValueError(f"{path} has no column {', '.join(lacking)}: is it a table of WebVid?")
    yield header
    number = 0
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(f'{path} line {number} has {len(row)} values, the header '
                             f'{len(header)}')
        yield row
    if not number:
        raise ValueError(f'{path} holds a header and no rows: no video is annotated')
