"""Small videos, whole and broken, for the tests of reading."""
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from .shards_world import shards, source  # noqa: F401  fixtures

AUDIO_ONLY = Path(__file__).parents[1] / 'data' / 'audio_only.mp4'
GREY_STEP = 15


def write_video(path: Path, num_frames: int = 12, size: tuple[int, int] = (64, 48),
                codec: str = 'mp4v') -> Path:
    """Write a clip whose frame i is plain grey of value 15 * i; size is (width, height)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*codec), 10, size)
    assert writer.isOpened()
    for index in range(num_frames):
        writer.write(np.full((size[1], size[0], 3), GREY_STEP * index, np.uint8))
    writer.release()
    return path


def write_broken(folder: Path) -> dict[str, str]:
    """Write one file of each broken kind; return file name -> what the error must say."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'empty.mp4').touch()
    (folder / 'text.mp4').write_text('not a video\n' * 50)
    shutil.copy(AUDIO_ONLY, folder / 'audio.mp4')
    for codec, suffix in (('mp4v', 'mp4'), ('MJPG', 'avi')):
        whole = write_video(folder / f'whole.{suffix}', codec=codec)
        data = whole.read_bytes()
        (folder / f'cut.{suffix}').write_bytes(data[:len(data) // 2])
        whole.unlink()
    (folder / 'still.png').write_bytes(b'\x89PNG\r\n\x1a\n and then nothing')
    return {'gone.mp4': 'is missing', 'empty.mp4': 'is empty', 'text.mp4': 'not a video',
            'audio.mp4': 'holds no video stream', 'cut.mp4': 'cannot be decoded',
            'cut.avi': 'is truncated', 'still.png': 'cannot be decoded'}


@pytest.fixture
def make_video():
    """The function :func:`write_video`."""
    return write_video


@pytest.fixture
def broken_videos(tmp_path):
    """A folder with one file of each broken kind, and what each error must say."""
    return tmp_path / 'broken', write_broken(tmp_path / 'broken')
