"""Where a video's shots end, as PySceneDetect finds them."""
from types import ModuleType

import numpy as np

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import frames_shown
from mmbt.reading import VideoFacts
from mmbt.reading.process import stream_isolated

RATE = 10.  # frames a second that are compared
SHORTEST = 10  # of these frames in a shot
WIDTH = 256  # pixels to which a picture is thinned out, about


def find_cuts(path: str, reader: ReadFrames) -> list[float]:
    """The times at which a shot of a video begins, but for the first, in seconds, rising.

    PySceneDetect's ``ContentDetector``, with its own threshold, on ten frames a second as our
    reader gives them; no shot is shorter than a second. It is a pass over the file of its own.

    Raises:
        VideoReadError: If the video cannot be read.
        ValueError: If PySceneDetect is not installed.
    """
    detectors, timecode = _scenedetect()
    detector = detectors.ContentDetector(min_scene_len=SHORTEST)
    ticks: dict[int, int] = {}  # frame -> the first tenth of a second at which it is shown

    def choose(facts: VideoFacts) -> list[int]:
        at = np.arange(0., max(facts.seconds, 1 / RATE), 1 / RATE)
        chosen, first = np.unique(frames_shown(facts.times, at), return_index=True)
        ticks.clear()
        ticks.update(zip(chosen.tolist(), first.tolist()))
        return chosen.tolist()

    known, cuts = None, list[float]()
    for facts, numbers, frames in stream_isolated(path, choose, reader.max_pixels,
                                                  reader.deadline):
        if facts is not known:
            known, cuts = facts, []
            detector = detectors.ContentDetector(min_scene_len=SHORTEST)
        frame_at = {tick: number for number, tick in ticks.items()}
        for number, frame in zip(numbers, frames):
            step = max(1, frame.shape[1] // WIDTH)
            small = np.ascontiguousarray(frame[::step, ::step, ::-1])  # it reads BGR
            found = detector.process_frame(timecode(ticks[number], RATE), small)
            cuts += [float(facts.times[frame_at[cut.frame_num]]) for cut in found]
    return sorted(set(cuts))


def _scenedetect() -> tuple[ModuleType, type]:
    try:
        from scenedetect import FrameTimecode, detectors
    except ImportError as error:
        raise ValueError(
            "windows by shots need PySceneDetect: pip install 'mmbt[shots]'") from error
    return detectors, FrameTimecode
