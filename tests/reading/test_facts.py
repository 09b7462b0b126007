"""What is said of a video before its frames are wanted."""
import gc
import pickle
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mmbt.reading import CountChanged, Video, VideoReadError, probe, read_frames
from mmbt.reading.table import _is_vp9_shown
from tests.support.coded_frames import Clip, encode, number_of, picture
from tests.support.conformance_clips import CLIPS

pytestmark = pytest.mark.slow

DATA = Path(__file__).parents[1] / 'data'


def numbers(path):
    """The numbers that the pictures of a file carry."""
    frames, _, _ = read_frames(str(path), lambda facts: range(facts.total_frames))
    return [number_of(frame) for frame in frames]


def test_facts_of_a_plain_file(make_clip):
    facts = probe(str(make_clip('h264_g9_b3.mp4')))
    np.testing.assert_allclose(facts.times, np.arange(36) / 25, atol=1e-9)
    assert replace(facts, times=None) == type(facts)(
        total_frames=36, times=None, timed=True, seconds=pytest.approx(1.44),
        rate=pytest.approx(25), height=64,
        width=96, codec='h264', container='mov,mp4,m4a,3gp,3g2,mj2', pixel_format='yuv420p',
        rotation=0, claimed_frames=36, in_order=False, notes=())


def test_facts_and_their_change_can_be_sent(make_clip):
    facts = probe(str(make_clip('mpeg4_b2.avi')))
    again = pickle.loads(pickle.dumps(CountChanged(facts))).facts
    assert replace(again, times=None) == replace(facts, times=None)
    assert (again.times == facts.times).all() and facts.times.dtype == np.float64


@pytest.mark.parametrize('name', ['variable.mp4', 'variable.mkv', 'variable.webm'])
def test_times_of_a_variable_rate(name, make_clip):
    facts = probe(str(make_clip(name)))
    times = [CLIPS[name].times(number) / 1000 for number in range(36)]
    np.testing.assert_allclose(facts.times, times, atol=1e-3)
    assert facts.timed and facts.seconds == pytest.approx(times[-1] + 0.04, abs=0.03)
    assert facts.rate == pytest.approx(36 / facts.seconds)


@pytest.mark.parametrize('name, seconds, claimed', [
    ('cut_edit.mp4', 0.76, 24), ('cut_turned.mp4', 0.76, 24), ('short.mp4', 0.6, 36),
    ('sixty.mp4', 0.6, 36), ('h264.ts', 1.44, None)])
def test_what_is_shown_and_what_the_header_claims(name, seconds, claimed, make_clip):
    facts = probe(str(make_clip(name)))
    assert facts.seconds == pytest.approx(seconds, abs=1e-3) and facts.claimed_frames == claimed


@pytest.mark.parametrize('name', ['h264.h264', 'joined.ts', 'h264.avi'])
def test_files_without_times_have_those_of_their_rate(name, make_clip):
    facts = probe(str(make_clip(name)))
    assert not facts.timed and facts.rate == 25
    np.testing.assert_allclose(facts.times, np.arange(facts.total_frames) / 25)


@pytest.mark.parametrize('degrees', [90, 180, 270])
def test_turned_files_are_as_shown(degrees, make_clip):
    facts = probe(str(make_clip(f'turned_{degrees}.mp4')))
    assert (facts.rotation, facts.height, facts.width) == (degrees, 64, 96)


@pytest.mark.parametrize('flips', [(True, False), (False, True)])
@pytest.mark.parametrize('degrees', [0, 90])
def test_mirrored_files_are_as_shown(flips, degrees, tmp_path):
    """As FFmpeg's tools turn them: the turn, then the mirror."""
    path, stored = tmp_path / 'a.mp4', picture(5)
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('ffv1', rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, 'bgr0'
        stream.set_display_rotation(degrees, hflip=flips[0], vflip=flips[1])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(stored, format='rgb24')))
        container.mux(stream.encode())
    shown = np.rot90(stored, degrees // 90)
    shown = shown[:, ::-1] if flips[0] else shown[::-1]
    frames, _, _ = read_frames(str(path), lambda facts: [0])
    assert np.array_equal(frames[0], shown)


@pytest.mark.parametrize('aspect, width', [
    ('2', 192), ('1/2', 48), ('16/15', 102), ('1', 96), ('199/200', 96)])
def test_pixels_are_square(aspect, width, tmp_path):
    path = Clip('a.mp4', options={'aspect': aspect, 'g': '4'}, frames=6).make(tmp_path)
    frames, _, facts = read_frames(str(path), lambda facts: [0, 5])
    assert (facts.height, facts.width) == (64, width)
    assert [frame.shape for frame in frames] == [(64, width, 3)] * 2
    assert [number_of(frame) for frame in frames] == [0, 5]


def test_a_note_where_a_file_ends_before_its_header_says(tmp_path):
    whole = Clip('whole.mkv', options={'g': '10'}, frames=100).make(tmp_path)
    short = tmp_path / 'short.mkv'
    short.write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
    facts, = (probe(str(short)),)
    assert probe(str(whole)).notes == () and facts.total_frames < 60
    assert facts.notes == (f'ends at {facts.seconds:.1f} s of the 4.0 s that its header promises',)


def _two_streams(path, cover, sizes):
    """A file with a video stream of each size; a cover picture first if wanted."""
    with av.open(str(path), 'w') as container:
        streams = []
        for number, size in enumerate(sizes):
            stream = container.add_stream('mjpeg' if cover and number == 0 else 'libx264', rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = 'yuvj420p' if cover and number == 0 else 'yuv420p'
            if cover and number == 0:
                stream.disposition = av.stream.Disposition.attached_pic
            streams.append(stream)
        for number in range(8):
            for place, stream in enumerate(streams):
                if cover and place == 0 and number:
                    continue
                frame = av.VideoFrame.from_ndarray(picture(number + 100 * place), format='rgb24')
                frame = frame.reformat(stream.width, stream.height)
                frame.pts = number
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())


def test_the_stream_that_ffmpeg_takes_of_several(tmp_path):
    path = tmp_path / 'a.mp4'
    _two_streams(path, False, [(96, 64), (192, 128)])
    with av.open(str(path)) as container:
        best = container.streams.best('video').index
    assert numbers(path) == [number + 100 * best for number in range(8)]


def test_a_cover_picture_is_no_video(tmp_path):
    path = tmp_path / 'a.mp4'
    _two_streams(path, True, [(384, 256), (96, 64)])
    assert numbers(path) == [100 + number for number in range(8)]
    _two_streams(path, True, [(96, 64)])
    with pytest.raises(VideoReadError, match=r'no video stream \(a cover picture\)$'):
        probe(str(path))


def test_a_title_that_is_not_utf8(tmp_path):
    path = tmp_path / 'a.avi'
    with av.open(str(path), 'w') as container:
        container.metadata['title'] = 'XXname'
        stream = container.add_stream('mpeg4', rate=25)
        stream.width, stream.height = 96, 64
        for number in range(6):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number),
                                                                   format='rgb24')))
        container.mux(stream.encode())
    data = path.read_bytes()
    assert b'XXname' in data
    path.write_bytes(data.replace(b'XXname', b'\x8c\xffname'))
    assert numbers(path) == list(range(6))


def test_names_that_look_like_addresses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('http:a.mp4', 'concat:a.mp4', '-i', 'clip 10:30 %03d.mp4', 'n\udcffme.mp4'):
        encode(Clip('a.mp4', options={'g': '4'}, frames=3), Path('a.mp4'))
        Path('a.mp4').rename(name)
        assert numbers(name) == [0, 1, 2]


def test_animated_webp(tmp_path):
    path = tmp_path / 'a.webp'
    images = [Image.fromarray(picture(number)) for number in range(5)]
    images[0].save(path, save_all=True, append_images=images[1:], lossless=True,
                   duration=[100, 200, 50, 50, 100])
    assert numbers(path) == [0, 1, 2, 3, 4]
    frames, indices, facts = read_frames(str(path), lambda facts: [3, 0, 3], max_offset=2)
    assert indices == [3, 0, 3] and np.array_equal(frames[0], picture(3))
    np.testing.assert_allclose(facts.times, [0, 0.1, 0.3, 0.35, 0.4])
    assert (facts.codec, facts.seconds, facts.timed) == ('webp', pytest.approx(0.5), True)


def test_theora():
    assert numbers(DATA / 'theora.ogv') == list(range(12))


def test_frames_of_vp9_that_are_not_shown():
    """By the bits of its header: marker, profile, (reserved), existing, key, shown."""
    assert _is_vp9_shown(memoryview(bytes([0b10000010, 0])))
    assert not _is_vp9_shown(memoryview(bytes([0b10000000, 0])))
    assert _is_vp9_shown(memoryview(bytes([0b10001000, 0])))      # shows one that exists
    assert _is_vp9_shown(memoryview(bytes([0b10110001, 0])))      # profile 3
    assert not _is_vp9_shown(memoryview(bytes([0b10110000, 0])))
    assert _is_vp9_shown(memoryview(bytes([0b10000000, 0xc1])))   # several frames in one packet


def test_repeats_share_an_array_and_order_is_the_callers(make_clip):
    with Video(str(make_clip('h264_g9_b3.mp4'))) as video:
        frames, indices = video.read([30, 2, 30])
        assert indices == [30, 2, 30] and frames[0] is frames[2]
        assert [number_of(frame) for frame in frames] == [30, 2, 30]
        assert video.read([]) == ([], [])
        with pytest.raises(ValueError, match='frames 0 to 35, asked for -1 to 36'):
            video.read([36, -1])


@pytest.mark.parametrize('name', ['mpeg4_b2.avi', 'h264_g9_b3.mp4', 'turned_90.mp4'])
@pytest.mark.parametrize('max_offset', [0, 3])
def test_no_frame_waits_for_the_garbage_collector(name, max_offset, make_clip):
    """One that did would keep all buffers of its decoder: 64 MB a file where they are kept."""
    path = str(make_clip(name))

    def large_frames():
        return {id(found) for found in gc.get_objects()
                if type(found) is av.VideoFrame and found.width > 2}

    gc.collect()
    gc.disable()
    try:
        before = large_frames()
        frames, _, _ = read_frames(path, lambda facts: [0, 5, 9], max_offset)
        assert large_frames() <= before
    finally:
        gc.enable()
    assert all(frame.flags.owndata and frame.flags.writeable and frame.flags.c_contiguous
               for frame in frames)
