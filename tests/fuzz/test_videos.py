"""Damaged videos through the process that reads them: frames, or one line that names the file."""
from collections import Counter

import av
import numpy as np
import pytest

from mmbt.datasets import ReadFrames
from mmbt.reading.process import DecoderDied, TookTooLong
from tests.support.fuzz import Door, fuzz

pytestmark = pytest.mark.slow

SECONDS = 10
# Name of a file -> codec, pixel format and options of its container.
KINDS = {
    'h264.mp4': ('libx264', 'yuv420p', {}),
    'fragments.mp4': ('libx264', 'yuv420p', dict(movflags='frag_keyframe+empty_moov')),
    'mpeg4.avi': ('mpeg4', 'yuv420p', {}),
    'h264.mkv': ('libx264', 'yuv420p', {}),
    'vp9.webm': ('libvpx-vp9', 'yuv420p', {}),
    'h264.ts': ('libx264', 'yuv420p', {}),
    'picture.gif': ('gif', 'rgb8', {}),
    'mjpeg.mov': ('mjpeg', 'yuvj420p', {}),
}


def write(path, codec, pixel_format, options):
    """A clip of 10 frames of a square that moves, with a key frame every 4."""
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 32, 32, pixel_format, 4
        for number in range(10):
            picture = np.full((32, 32, 3), 90, np.uint8)
            picture[8:16, 2 * number:2 * number + 8] = (250, 20, 20 * number)
            frame = av.VideoFrame.from_ndarray(picture, format='rgb24').reformat(
                format=pixel_format)
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


class Load:
    """Reads a file as training does, and keeps how often the process paid for it."""

    def __init__(self):
        self.paid = Counter()
        self.read = {test: ReadFrames(3, test_mode=test, max_offset=0 if test else 2,
                                      by='time' if test else 'frame', deadline=SECONDS)
                     for test in (True, False)}

    def __call__(self, path):
        for read in self.read.values():
            try:
                found = read(dict(filename=str(path)))
            except (TookTooLong, DecoderDied) as error:
                self.paid[type(error).__name__] += 1
                raise
            shape = found['img_shape']
            assert len(found['imgs']) == 3 and found['total_frames'] > 0
            assert all(img.shape == (*shape, 3) and img.dtype == np.uint8 for img in found['imgs'])
            assert 0 <= found['frame_inds'].min() <= found['frame_inds'].max() < found[
                'total_frames']


def door(name):
    """A kind of file, and the way to read it."""
    return Door(name, lambda folder: [write(folder / name, *KINDS[name])], Load())


DOORS = {name: door(name) for name in KINDS}


@pytest.mark.parametrize('name', KINDS)
def test_a_damaged_video_is_read_or_named(name, tmp_path):
    tally = fuzz(DOORS[name], tmp_path, count=80, seconds=3 * SECONDS)
    assert tally.faults == [] and tally.tried == 80
    assert tally.refused > 5 and tally.accepted > 5
    assert DOORS[name].load.paid == {}  # no decoder hung or died: that it may, others test
