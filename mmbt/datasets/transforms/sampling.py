"""Which frames of a video are taken, beside MMAction2's ``UniformSample``."""
import numpy as np

ROUNDING = 1e-6  # seconds by which a time that a container rounded may be late


def frames_shown(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The frames that a player shows at some times.

    Args:
        times: (total,) seconds at which each frame is shown first, rising.
        at: Seconds, of any shape.

    Returns:
        Numbers of frames, int32, of the shape of ``at``.
    """
    found = np.searchsorted(times, np.asarray(at) + ROUNDING, side='right') - 1
    return np.clip(found, 0, len(times) - 1).astype(np.int32)


class UniformTimeSample:
    """Sample frames evenly over a video's time, where its frames need not be evenly spaced.

    The time from the start of the first frame to the end of the last is cut into ``clip_len`` equal
    segments. In testing clip k of 1 .. N has the frame that is shown at k / (N + 1) of each, which
    is its middle where there is one clip; in training one that is shown at a random time of each.

    Args:
        clip_len: Frames of a clip.
        num_clips: Clips, in testing alone.
        test_mode: Take fixed times.
    """

    def __init__(self, clip_len: int, num_clips: int = 1, test_mode: bool = False) -> None:
        self.clip_len = clip_len
        self.num_clips = num_clips
        self.test_mode = test_mode

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``; frames without ``times`` are taken to be evenly spaced."""
        times, seconds = times_of(results)
        if self.test_mode:
            share = np.arange(1, self.num_clips + 1)[:, None] / (self.num_clips + 1)
        else:
            share = np.random.random_sample((1, self.clip_len))
        at = (np.arange(self.clip_len) + share) * (seconds / self.clip_len)
        inds = frames_shown(times, at.reshape(-1)) + np.int32(results['start_index'])
        results.update(frame_inds=inds, clip_len=self.clip_len, num_clips=self.num_clips,
                       frame_interval=None)
        return results


class EveryFrame:
    """Samples all frames of a video."""

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``."""
        total = results['total_frames']
        results.update(frame_inds=results['start_index'] + np.arange(total), clip_len=total,
                       num_clips=1, frame_interval=None)
        return results


class FirstMiddleLast:
    """Samples these three frames of a video; the middle one is in the middle of its time."""

    def transform(self, results: dict) -> dict:
        """Add ``frame_inds``."""
        times, seconds = times_of(results)
        middle = int(frames_shown(times, np.array(seconds / 2)))
        inds = np.array([0, middle, len(times) - 1], np.int32) + np.int32(results['start_index'])
        results.update(frame_inds=inds, clip_len=3, num_clips=1, frame_interval=None)
        return results


def times_of(results: dict) -> tuple[np.ndarray, float]:
    """When each frame is shown and how long all take; in frames where that is not known."""
    total = results['total_frames']
    times: np.ndarray | None = results.get('times')
    return (np.arange(total), float(total)) if times is None else (times, results['seconds'])
