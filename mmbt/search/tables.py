"""What was found, as lines for a terminal, as JSON, and as tables of CSV."""
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mmbt.files.atomic import whole_file
from mmbt.files.shown import printable, write_csv

from .labels import LabelledWindow
from .query import Hit
from .windows import clock

Labels = Mapping[str, Sequence[tuple[str, float]]]
LabelsOverTime = Mapping[str, Sequence[LabelledWindow]]


def shown(path: str) -> str:
    """A path as it is shortest, from the working folder or absolute, for a terminal."""
    inside = os.path.relpath(path)
    return printable(path if inside.startswith(os.pardir) else inside)


def hit_lines(hits: Sequence[Hit], as_json: bool) -> Iterator[str]:
    """Moments as lines for a terminal, or as one JSON list of path, start, end and score."""
    if as_json:
        yield json.dumps([hit._asdict() for hit in hits])
        return
    for hit in hits:
        yield f'{hit.score:.3f}  {span(hit)}  {shown(hit.path)}'


def span(part: Hit | LabelledWindow) -> str:
    """From when to when, as players show it."""
    return f'{clock(part.start)}-{clock(part.end)}'


def write_hits(hits: Sequence[Hit], path: str) -> None:
    """Write moments as CSV, times in seconds, as :func:`write_labels` writes labels."""
    rows = [(shown(hit.path), f'{hit.start:.3f}', f'{hit.end:.3f}', f'{hit.score:.6f}')
            for hit in hits]
    write_table(('path', 'start', 'end', 'score'), rows, path)


def label_lines(labels: Labels | LabelsOverTime, as_json: bool) -> Iterator[str]:
    """Labels as lines for a terminal, or as one JSON list.

    Each of the list is of a video, or of a window of one: ``path``, over time ``start`` and ``end``
    in seconds, and ``labels``, a list of ``name`` and ``probability``, best first.
    """
    if as_json:
        yield json.dumps([_as_dict(path, each) for path, found in labels.items()
                          for each in _parts(found)])
        return
    for path, found in labels.items():
        yield shown(path)
        for each in found:
            if isinstance(each, LabelledWindow):
                yield f'  {span(each)}  ' + ', '.join(
                    f'{probability:.3f} {printable(name)}' for name, probability in each.labels)
            else:
                yield f'  {each[1]:.3f}  {printable(each[0])}'


def _parts(found: Sequence) -> Sequence:
    """The windows of a video; the labels of a whole one as they are, together."""
    return found if found and isinstance(found[0], LabelledWindow) else [found]


def _as_dict(path: str, part: LabelledWindow | Sequence[tuple[str, float]]) -> dict[str, Any]:
    when = dict(start=part.start, end=part.end) if isinstance(part, LabelledWindow) else {}
    return dict(path=path, **when,
                labels=[dict(name=name, probability=probability) for name, probability in
                        (part.labels if isinstance(part, LabelledWindow) else part)])


def write_labels(labels: Labels | LabelsOverTime, path: str) -> None:
    """Write labels as CSV, whole or not at all, with no cell that a spreadsheet would run.

    Args:
        labels: Path -> what :meth:`VideoSearch.label` gives, over time too, whose windows have two
            columns more, ``start`` and ``end`` in seconds.
        path: The file.
    """
    times = any(isinstance(each, LabelledWindow) for found in labels.values() for each in found)
    rows = [(shown(video), *((f'{part.start:.3f}', f'{part.end:.3f}') if times else ()), rank, name,
             f'{probability:.6f}') for video, found in labels.items() for part in _parts(found)
            for rank, (name, probability) in enumerate(part.labels if times else part, start=1)]
    write_table(('video', *(('start', 'end') if times else ()), 'rank', 'class', 'probability'),
                rows, path)


def write_table(head: Sequence[str], rows: Sequence[Sequence[object]], path: str) -> None:
    """Write rows as CSV, whole or not at all."""
    with whole_file(path) as draft, open(draft, 'w', newline='', encoding='utf-8') as file:
        write_csv(file, [head, *rows])
