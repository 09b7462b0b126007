"""One part: its videos into fragments, none twice, from where it was left."""
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmbt.files.shown import printable

from ..encoder import Encoder
from ..filling import Filling, Progress
from ..fragments import Embedded, is_better, read_fragment
from ..moment_rows import check_made_by
from ..stamps import stamp_of
from ..video_rows import LONGEST_ERROR, VideoRow
from ..windows import Window, WindowPlan
from .job import Counts, Job
from .lease import Lease
from .output import Done, Output, digest_of

MOST_WINDOWS = 4096  # of a fragment, roughly


class Written(NamedTuple):
    """A video's row, and the fragment that it is in."""

    video: VideoRow
    fragment: Path


class FragmentWriter:
    """Takes videos as an index does, and writes them as fragments of a part.

    Args:
        output: Where to.
        part: Which.
        lease: Under which this may be written.
        every: Seconds after which it is.

    Attributes:
        written: Path -> :class:`Written`, of what was.
    """

    def __init__(self, output: Output, part: int, lease: Lease, every: float) -> None:
        self.output, self.part, self.lease, self.every = output, part, lease, every
        self.width = output.width
        self.written: dict[str, Written] = {}
        self._rows: dict[str, Embedded] = {}
        self._windows = 0
        self._since = time.monotonic()

    def add(self, video: VideoRow, windows: Sequence[Window], embeddings: np.ndarray,
            baseline: np.ndarray | None = None) -> None:
        """Keep a video; written now and then.

        Raises:
            LeaseLost: If the part is another's meanwhile.
            OSError: If the disk refuses.
        """
        video = video._replace(error=video.error[:LONGEST_ERROR])
        self._rows[video.path] = Embedded(
            video, windows, embeddings.astype(np.float16),
            None if baseline is None else baseline.astype(np.float16))
        self._windows += len(windows)
        if self._windows >= MOST_WINDOWS or time.monotonic() - self._since >= self.every:
            self.flush()

    def flush(self) -> None:
        """Write what is not written yet."""
        self._since = time.monotonic()
        if not self._rows:
            return
        self.lease.must_be_mine()
        path = self.output.write(self.part, list(self._rows.values()))
        self.written |= {name: Written(row.video, path) for name, row in self._rows.items()}
        self._rows, self._windows = {}, 0


def embed_part(encoder: Encoder, plan: WindowPlan, output: Output, part: int,
               paths: Sequence[str], lease: Lease, job: Job,
               progress: Progress | None = None) -> Counts:
    """Embed the videos of a part that are not in its fragments as they are now.

    Args:
        encoder: The model.
        plan: How videos are cut.
        output: Where the fragments go.
        part: Which.
        paths: Its videos.
        lease: That of the part.
        job: ``batch_size``, ``readers``, ``every`` and ``retry``.
        progress: Called, as videos get done, with how many of how many are.

    Returns:
        What the part holds now.

    Raises:
        LeaseLost: If the part is another's meanwhile.
        ValueError: If a fragment is damaged, or the embeddings are not finite.
        OSError: If the disk refuses; the part is not done then.
    """
    stamps = {path: stamp_of(path) for path in paths}
    digest, before = digest_of(stamps), output.done(part)
    if before is not None and before.digest == digest and not (job.retry and before.broken):
        output.confirm(part)
        return Counts(*before[1:], 0, 1)
    output.begin(part)
    kept, files = read_part(output, part)
    todo = [path for path, stamp in stamps.items() if path not in kept
            or stamp != (kept[path].video.size, kept[path].video.mtime_ns)
            or job.retry and kept[path].video.error]
    writer = FragmentWriter(output, part, lease, job.every)
    Filling(encoder, writer, stamps, job.batch_size, 'skip', progress).fill(todo, plan, job.readers)
    kept |= writer.written
    lease.must_be_mine()
    drop_replaced(output, part, kept, files)
    rows = [kept[path].video for path in stamps]
    broken = sum(bool(row.error) for row in rows)
    done = Done(digest, len(rows) - broken, sum(row.windows for row in rows), broken)
    output.finish(part, done)
    return Counts(*done[1:], len(todo), 1)


def read_part(output: Output, part: int) -> tuple[dict[str, Written], dict[Path, list[str]]]:
    """What a part's fragments hold.

    Returns:
        Path -> its row that counts; and fragment -> the paths of all of its rows.

    Raises:
        ValueError: If one is damaged, or made by something else.
    """
    kept: dict[str, Written] = {}
    files: dict[Path, list[str]] = {}
    for fragment in output.fragments(part):
        try:
            _, made_by, rows = read_fragment(fragment)
        except ValueError as error:
            raise ValueError(f'{error}: delete {printable(str(fragment))}, and its videos are '
                             'embedded again') from None
        check_made_by(str(fragment), output.made_by, made_by, 'fragment')
        files[fragment] = [row.video.path for row in rows]
        for row in rows:
            before = kept.get(row.video.path)
            if is_better(row.video, before.video if before else None):
                kept[row.video.path] = Written(row.video, fragment)
    return kept, files


def drop_replaced(output: Output, part: int, kept: dict[str, Written],
                  files: dict[Path, list[str]]) -> None:
    """Write the fragments again that hold rows which another fragment's have replaced."""
    for fragment, paths in files.items():
        if all(kept[path].fragment == fragment for path in paths):
            continue
        rows = [row for row in read_fragment(fragment)[2]
                if kept[row.video.path].fragment == fragment]
        if rows:
            path = output.write(part, rows)
            kept |= {row.video.path: Written(row.video, path) for row in rows}
        fragment.unlink(missing_ok=True)
