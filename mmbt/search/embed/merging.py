"""The parts of a folder into an index."""
from collections.abc import Callable
from typing import Any, NamedTuple

from mmbt.files.shown import printable

from ..fragments import Merged, merge_fragments
from ..moment_index import MomentIndex
from ..stamps import PathLike
from .output import Output

NAMED = 10  # parts that are named in a message


class MergedParts(NamedTuple):
    """What a merge came to.

    Attributes:
        merged: Fragments, and videos that were added.
        videos, windows, broken: Of the index now.
        missing: Parts that are not done.
    """

    merged: Merged
    videos: int
    windows: int
    broken: int
    missing: list[int]

    def line(self, index: str) -> str:
        """What was done, in one line."""
        copies = f', {self.merged.copies:,} copies left out' if self.merged.copies else ''
        missing = f'; {len(self.missing):,} parts are missing' if self.missing else ''
        return (f'{printable(index)}: {self.videos:,} videos, {self.windows:,} windows, '
                f'{self.broken:,} broken; {self.merged.added:,} new of {self.merged.fragments:,} '
                f'fragments{copies}{missing}')


def merge_embedded(folder: PathLike, index: PathLike, partial: bool = False,
                   progress: Callable[[int, int], Any] | None = None) -> MergedParts:
    """Merge the fragments that ``mmbt embed`` wrote into an index; again changes nothing.

    Args:
        folder: Where they are.
        index: Made where there is none.
        partial: Whether to merge what is there although parts are not done.
        progress: Called with how many of how many fragments are merged.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If parts are missing, a fragment is damaged, or the index is another model's.
        OSError: If the index cannot be written.
    """
    output = Output.open(folder)
    missing = output.missing()
    if missing and not partial:
        more = f' and {len(missing) - NAMED:,} more' if len(missing) > NAMED else ''
        named = ', '.join(map(str, missing[:NAMED])) + more
        raise ValueError(f'{printable(str(folder))}: {len(missing):,} of {output.parts:,} parts '
                         f'are not done ({named}): run `mmbt embed` on the list again, or merge '
                         'what is there with --partial')
    merged = merge_fragments(output.fragment_folder, index, progress)
    made = MomentIndex.open(index)
    return MergedParts(merged, made.count_videos(), made.count_windows(), len(made.errors()),
                       missing)
