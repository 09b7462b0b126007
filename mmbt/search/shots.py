"""Where a video's shots end, as PySceneDetect finds them."""
from types import ModuleType

import numpy as np

from mmbt.datasets.transforms.reading import ReadFrames
from mmbt.datasets.transforms.sampling import frames_shown
from mmbt.reading import VideoFacts
from mmbt.reading.process import stream_isolated

RATE = 10  # frames a second that are compared
SHORTEST = RATE  # frames of a shot
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
    chosen: list[int] = []

    def choose(facts: VideoFacts) -> list[int]:
        at = np.arange(0., max(facts.seconds, 1 / RATE), 1 / RATE)
        chosen[:] = np.unique(frames_shown(facts.times, at)).tolist()
        return chosen

    known, count, cuts = None, 0, list[float]()
    for facts, _, frames in stream_isolated(path, choose, reader.max_pixels, reader.deadline):
        if facts is not known:
            known, count, cuts = facts, 0, []
            detector = detectors.ContentDetector(min_scene_len=SHORTEST)
        for frame in frames:
            step = max(1, frame.shape[1] // WIDTH)
            small = np.ascontiguousarray(frame[::step, ::step, ::-1])  # it reads BGR
            found = detector.process_frame(timecode(count, RATE), small)
            cuts += [float(facts.times[chosen[cut.frame_num]]) for cut in found]
            count += 1
    return sorted(set(cuts))


def _scenedetect() -> tuple[ModuleType, type]:
    try:
        from scenedetect import FrameTimecode, detectors
    except ImportError as error:
        raise ValueError('windows by shots need PySceneDetect: pip install scenedetect') from error
    return detectors, FrameTimecode
