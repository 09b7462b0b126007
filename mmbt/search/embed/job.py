"""What a worker has to be told, and what it tells of its work."""
from dataclasses import dataclass
from typing import NamedTuple

from mmbt.files.shown import printable

from .listing import check_parts

PER_PART = 100  # videos of a part that is claimed by lease


@dataclass(frozen=True)
class Job:
    """How videos are embedded; all of it can be sent to another machine.

    Args:
        model: What :func:`mmbt.load` takes, with ``weights``, ``clip``, ``frames`` and ``dtype``.
        out: The folder that the fragments go to, shared by all workers.
        parts: Those that the list is cut into. Defaults to those of the folder, in a new one to
            parts of ``per_part`` videos.
        per_part: Videos of a part, roughly.
        device: Where the model goes.
        window: Seconds of a window, ``stride`` from the start of one to the next, and whether
            none reaches over a cut (``shots``). Defaults to those that follow from the frames.
        batch_size: Windows encoded at a time.
        readers: Processes that read videos, for each worker.
        every: Seconds of work after which it is written.
        lease: Seconds after which a worker that does not stir is taken for dead.
        retry: Whether what could not be read before is tried again.
        wait: Whether to wait for parts that others have, in case that they die.

    Raises:
        ValueError: If a value cannot be.
    """

    model: str
    out: str
    parts: int | None = None
    per_part: int = PER_PART
    device: str = 'cpu'
    weights: str | None = None
    clip: str | None = None
    frames: int | None = None
    dtype: str | None = None
    window: float | None = None
    stride: float | None = None
    shots: bool = False
    batch_size: int = 8
    readers: int = 0
    every: float = 60.
    lease: float = 300.
    retry: bool = False
    wait: bool = True

    def __post_init__(self) -> None:
        for name, least in dict(per_part=1, batch_size=1, readers=0, every=0).items():
            if getattr(self, name) < least:
                raise ValueError(f'{name} must be at least {least}, got {getattr(self, name)}')
        if not self.lease > 0:
            raise ValueError(f'lease must be above 0 seconds, got {self.lease:g}')
        if self.parts is not None:
            check_parts(self.parts)


class Counts(NamedTuple):
    """What parts hold, and what of it was done now.

    Attributes:
        videos: That could be read.
        windows: Of these.
        broken: Videos that could not be read.
        encoded: Videos that were encoded or found broken now, and not before.
        parts: How many parts.
    """

    videos: int = 0
    windows: int = 0
    broken: int = 0
    encoded: int = 0
    parts: int = 0

    def plus(self, other: 'Counts') -> 'Counts':
        """Both together."""
        return Counts(*(a + b for a, b in zip(self, other)))

    def line(self, out: str, seconds: float) -> str:
        """What was done, in one line."""
        speed = self.encoded / max(seconds, 1e-9) * 3600
        return (f'{printable(out)}: {self.parts:,} parts done: {self.videos:,} videos, '
                f'{self.windows:,} windows, {self.broken:,} broken; {self.encoded:,} of the videos '
                f'in this run, in {seconds:,.1f} s: {speed:,.0f} videos an hour')
