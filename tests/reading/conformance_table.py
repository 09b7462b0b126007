"""The conformance grid by library and mode: ``python tests/reading/conformance_table.py``.

Files may be given instead of the grid. Each is read by each library in a process of its own with a
deadline; 12 test frames are held against a decode in order. Right: the count and all 12 frames.
Wrong: another count or frame without an error. Refused: an error. Crash: the process died. Hang: it
had not ended after 10 s.
"""
import os
import select
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mmbt import reading  # noqa: E402
from tests.support.conformance_clips import CLIPS  # noqa: E402
from tests.support.in_order_reference import Reference, decode_in_order  # noqa: E402

DEADLINE = 10.0
# Mean difference of colours, of 255, below which two pictures are the same frame. Libraries round
# colours differently; neighbouring frames of the grid differ by 20 and more.
SAME = 6.0
Read = Callable[[str], tuple[int, list[int], list[np.ndarray]]]


def test_frames(total: int, count: int = 12) -> list[int]:
    """The numbers of the frames that a test takes."""
    segment = (total - 1) / count
    return [round(segment * i) + int(segment / 2) for i in range(count)]


def by_reader(path: str, max_offset: int = 0) -> tuple[int, list[int], list[np.ndarray]]:
    """By :mod:`mmbt.reading`."""
    frames, indices, facts = reading.read_frames(
        path, lambda facts: test_frames(facts.total_frames), max_offset)
    return facts.total_frames, indices, frames


def near(path: str) -> tuple[int, list[int], list[np.ndarray]]:
    """The same, up to four frames away."""
    return by_reader(path, 4)


def in_order(path: str) -> tuple[int, list[int], list[np.ndarray]]:
    """The same, without trust in packets."""
    reading.table.FED_FORMATS = set()
    return by_reader(path)


def by_decord(path: str) -> tuple[int, list[int], list[np.ndarray]]:
    """By decord, one thread."""
    import decord
    video = decord.VideoReader(path, num_threads=1)
    wanted = test_frames(len(video))
    return len(video), wanted, list(video.get_batch(wanted).asnumpy())


def by_seeking(path: str) -> tuple[int, list[int], list[np.ndarray]]:
    """By PyAV: the header's count and rate, and a seek before each frame."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        total = stream.frames or round(container.duration / av.time_base * stream.average_rate)
        start, frames = stream.start_time or 0, []
        for number in test_frames(total):
            time = start + round(number / stream.average_rate / stream.time_base)
            container.seek(time, stream=stream)
            for frame in container.decode(stream):
                if frame.pts is None or frame.pts >= time:
                    break
            frames.append(frame.to_ndarray(format='rgb24'))
        return total, test_frames(total), frames


def by_opencv(path: str) -> tuple[int, list[int], list[np.ndarray]]:
    """By OpenCV: its count, and a seek before each frame."""
    import cv2
    video = cv2.VideoCapture(path)
    total, frames = int(video.get(cv2.CAP_PROP_FRAME_COUNT)), []
    for number in test_frames(total):
        video.set(cv2.CAP_PROP_POS_FRAMES, number)
        found, frame = video.read()
        if not found:
            raise ValueError('a frame cannot be read')
        frames.append(frame[..., ::-1])
    return total, test_frames(total), frames


LIBRARIES: dict[str, Read] = {
    'reader': by_reader, 'reader, near': near, 'reader, in order': in_order,
    'decord': by_decord, 'PyAV, seeking': by_seeking, 'OpenCV': by_opencv}


def judge(read: Read, path: str, expected: Reference) -> str:
    """What one library makes of one file, in this process."""
    try:
        total, indices, frames = read(path)
    except Exception:
        return 'refused'
    if total != len(expected.frames) or len(frames) != 12:
        return 'wrong'
    for index, frame in zip(indices, frames):
        right = expected.frames[index]
        if frame.shape != right.shape or np.abs(frame.astype(int) - right).mean() > SAME:
            return 'wrong'
    return 'right'


def judge_apart(read: Read, path: str, expected: Reference) -> str:
    """The same in a process that may die or hang."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.write(writer, judge(read, path, expected).encode())
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], DEADLINE)
    verdict = os.read(reader, 100).decode() if ready else ''
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return verdict or ('crash' if ready else 'hang')


def main(files: list[str]) -> None:
    """Print the table, and the files that each library does not read right."""
    verdicts: dict[str, dict[str, str]] = {name: {} for name in LIBRARIES}
    with tempfile.TemporaryDirectory() as folder:
        paths = map(Path, files) if files else (clip.make(Path(folder)) for clip in CLIPS.values())
        for path in paths:
            expected = decode_in_order(path)
            for library, read in LIBRARIES.items():
                verdicts[library][path.name] = judge_apart(read, str(path), expected)
    kinds = ('right', 'wrong', 'refused', 'crash', 'hang')
    print(f"{len(verdicts['reader'])} files, 12 test frames of each\n")
    print('| library | ' + ' | '.join(kinds) + ' |\n|---' * 1 + '|---' * len(kinds) + '|')
    for library, found in verdicts.items():
        counts = [sum(verdict == kind for verdict in found.values()) for kind in kinds]
        print(f'| {library} | ' + ' | '.join(map(str, counts)) + ' |')
    for library, found in verdicts.items():
        bad = [f'{name} ({verdict})' for name, verdict in found.items() if verdict != 'right']
        print(f'\n{library}: ' + (', '.join(bad) or 'all right'))


if __name__ == '__main__':
    main(sys.argv[1:])
