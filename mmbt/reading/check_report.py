"""What a check of videos found: copies of one another, a table, and a summary."""
import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmbt.files.atomic import whole_file

from .check import Checked

NAMED = 5  # kinds of a sort, and videos, that the summary names
WORDS = dict(broken='broken', hang='too slow or hanging', crash='crashing the decoder')


def find_copies(checked: Iterable[Checked]) -> dict[str, str]:
    """Files with the very content of another: path -> the path of the first.

    Only files of one size are read.
    """
    by_size: dict[int, list[Checked]] = {}
    for video in checked:
        if video.bytes > 0:
            by_size.setdefault(video.bytes, []).append(video)
    copies: dict[str, str] = {}
    for videos in by_size.values():
        first: dict[bytes, str] = {}
        for video in videos if len(videos) > 1 else ():
            content = _hash(video.path)
            if first.setdefault(content, video.path) != video.path:
                copies[video.path] = first[content]
    return copies


def _hash(path: str) -> bytes:
    total = hashlib.sha256()
    try:
        with open(path, 'rb') as file:
            for block in iter(lambda: file.read(2**20), b''):
                total.update(block)
    except OSError:
        return path.encode(errors='surrogateescape')  # gone since; like no other
    return total.digest()


def write_table(checked: Sequence[Checked], copies: dict[str, str], path: str | Path) -> None:
    """Write a row for each video, CSV, whole or not at all."""
    rows = [dict(asdict(video), copy_of=copies.get(video.path, '')) for video in checked]
    names = [name for name in rows[0] if name != 'changed'] if rows else ['path']
    with whole_file(path) as draft, open(draft, 'w', newline='', encoding='utf-8',
                                         errors='backslashreplace') as file:
        table = csv.writer(file)
        table.writerow(names)
        table.writerows([_cell(row[name]) for name in names] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f'{value:.3f}'
    if isinstance(value, str) and value.startswith(('=', '+', '-', '@', '\t', '\r')):
        return f"'{value}"  # or a spreadsheet would run it
    return value


def summary(checked: Sequence[Checked], copies: dict[str, str]) -> list[str]:
    """Lines that say what was found."""
    good = [video for video in checked if video.status == 'ok']
    bad = [video for video in checked if video.status != 'ok']
    lines = [f'{len(checked):,} videos: {len(good):,} can be read, {len(bad):,} cannot']
    for status, words in WORDS.items():
        reasons = [video.reason for video in bad if video.status == status]
        if reasons:
            lines.append(f'  {words}: {len(reasons):,}')
            lines += [f'    {reason}' for reason in reasons[:NAMED]]
            if len(reasons) > NAMED:
                lines.append(f'    and {len(reasons) - NAMED:,} more')
    if good:
        lines += _kinds(good)
    if copies:
        path, first = next(iter(copies.items()))
        lines.append(f'  copies of others: {len(copies):,}, such as {path} of {first}')
    return lines


def _kinds(good: Sequence[Checked]) -> list[str]:
    hours = sum(video.seconds for video in good) / 3600
    shortest, longest = (pick(good, key=lambda video: video.seconds) for pick in (min, max))
    lines = [f'  codec: {_counts(video.codec for video in good)}',
             f'  container: {_counts(video.container for video in good)}',
             f'  size: {_counts(f"{video.width} x {video.height}" for video in good)}',
             f'  length: {hours:,.2f} hours in all, {shortest.seconds:.1f} to '
             f'{longest.seconds:.1f} s, {sum(video.frames for video in good):,} frames']
    for words, count in (
            ('turned to be upright', sum(video.rotation != 0 for video in good)),
            ('frames of very different lengths', sum(video.variable_rate for video in good)),
            ('not as many frames as the header says', sum(
                video.claimed_frames not in (None, video.frames) for video in good)),
            ('decoded whole for any frame, which is slow', sum(video.in_order for video in good)),
            ('with other notes', sum(bool(video.notes) and not video.in_order for video in good))):
        if count:
            lines.append(f'  {words}: {count:,}')
    return lines


def _counts(values: Iterable[str]) -> str:
    counts = Counter(values).most_common()
    shown = ', '.join(f'{value} {count:,}' for value, count in counts[:NAMED])
    others = sum(count for _, count in counts[NAMED:])
    return f'{shown}, others {others:,}' if others else shown
