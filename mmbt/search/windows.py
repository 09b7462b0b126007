"""Which moments of a video are embedded: windows of time that overlap."""
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

MOST = 100_000  # windows of a video: a week of them, beyond which a file's times are damaged
TOUCHING = 1e-3  # seconds by which windows may lie apart and yet be neighbours


class Window(NamedTuple):
    """A part of a video, in seconds from its first frame."""

    start: float
    end: float

    def touches(self, other: 'Window') -> bool:
        """Whether they overlap, or one begins where the other ends."""
        return (self.start <= other.end + TOUCHING) and (other.start <= self.end + TOUCHING)


@dataclass(frozen=True)
class WindowPlan:
    """How videos are cut into windows.

    Args:
        length: Seconds of a window.
        stride: Seconds from the start of one to the start of the next.
        shots: Whether no window reaches over a cut, see :mod:`.shots`.

    Raises:
        ValueError: If a length is not above 0, or windows would leave gaps.
    """

    length: float
    stride: float
    shots: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.stride <= self.length < math.inf:
            raise ValueError('windows need 0 < stride <= length, in seconds, got a stride of '
                             f'{self.stride:g} and a length of {self.length:g}')


def default_plan(num_frames: int) -> WindowPlan:
    """The windows of a model that reads clips of ``num_frames`` frames.

    A frame a second, and each moment in two windows: 12 frames make windows of 12 s, one every 6 s.
    Models of video and text are trained on clips of 10 to 20 s (WebVid's are 18 s on average, those
    of MSR-VTT 15) of which they see 8 to 12 frames, so that a window looks to the model as its
    clips did. With half overlap an event of up to half a window lies whole in one of them, and
    where ``num_frames`` is even the windows of one grid share their frames.
    """
    return WindowPlan(float(num_frames), num_frames / 2)


def plan_windows(duration: float, plan: WindowPlan, cuts: Sequence[float] = ()) -> list[Window]:
    """The windows of a video, in order of time.

    They cover the whole of it; the last one ends with it. A video that is not longer than a window
    is one window.

    Args:
        duration: Of the video, in seconds.
        plan: How it is cut.
        cuts: Where a shot ends and another begins, rising; each shot is cut as a video is.

    Raises:
        ValueError: If the duration is no length of time, or would make more than 100,000 windows.
    """
    if not 0 <= duration < math.inf:
        raise ValueError(f'a video cannot last {duration} s')
    if duration / plan.stride > MOST:
        raise ValueError(f'it says that it lasts {duration / 3600:,.0f} hours, more than '
                         f'{MOST:,} windows of a stride of {plan.stride:g} s')
    borders = [0., *(cut for cut in cuts if 0 < cut < duration), duration]
    return [window for start, end in zip(borders, borders[1:])
            for window in _tile(start, end, plan)]


def _tile(start: float, end: float, plan: WindowPlan) -> list[Window]:
    length = end - start
    if length <= plan.length + TOUCHING:
        return [Window(start, end)]
    full = math.floor((length - plan.length) / plan.stride + 1e-9) + 1
    windows = [Window(start + i * plan.stride, start + i * plan.stride + plan.length)
               for i in range(full)]
    if end - windows[-1].end > TOUCHING:
        windows.append(Window(end - plan.length, end))
    else:
        windows[-1] = Window(windows[-1].start, end)
    return windows


def clock(seconds: float) -> str:
    """A time as players show it: ``4:07``, ``1:02:03``."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f'{hours}:{minute:02}:{second:02}' if hours else f'{minute}:{second:02}'
