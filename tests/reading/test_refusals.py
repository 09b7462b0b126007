"""Files that are no videos, or want too much: one line that names the file and the reason."""
import resource
import struct
import subprocess
import sys
from pathlib import Path

import av
import pytest

import mmbt
from mmbt.reading import CountChanged, Video, VideoReadError, check_file, read_frames
from mmbt.reading import container as container_module
from mmbt.reading import files as files_module
from mmbt.reading import table as table_module
from tests.support.coded_frames import Clip, encode

DATA = Path(__file__).parents[1] / 'data'
PLAYLISTS = {
    'loop.mp4': (b'ffconcat version 1.0\nfile loop.mp4\n', 'ffconcat playlist'),
    'live.ts': (b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nseg.ts\n', 'HLS playlist'),
    'live.mkv': (b'\xef\xbb\xbf\n<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash"/>', 'DASH'),
    'call.mp4': (b'v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5000 RTP/AVP 96\n', 'SDP'),
}


def refusal(path, **kwargs):
    """The one line with which a file is refused, near or exact."""
    lines = set()
    for max_offset in (0, 3):
        with pytest.raises(VideoReadError) as error:
            read_frames(str(path), lambda facts: [0, facts.total_frames - 1], max_offset, **kwargs)
        lines.add(str(error.value))
    line, = lines
    assert '\n' not in line and line.startswith(str(path))
    return line


@pytest.mark.parametrize('name', PLAYLISTS)
def test_playlists_are_not_followed(name, tmp_path):
    data, said = PLAYLISTS[name]
    (tmp_path / name).write_bytes(data)
    assert said in refusal(tmp_path / name)


def test_playlists_that_look_otherwise_are_not_followed_either(tmp_path, monkeypatch, make_clip):
    """FFmpeg itself is given a white list of formats."""
    monkeypatch.setattr(files_module, '_playlist', lambda head: None)
    (tmp_path / 'x.ts').write_bytes(make_clip('h264.ts').read_bytes())
    (tmp_path / 'a.mp4').write_bytes(b'ffconcat version 1.0\nfile x.ts\n')
    assert 'is of no format that is read as a video' in refusal(tmp_path / 'a.mp4')
    (tmp_path / 'a.m3u8').write_bytes(
        b'#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nx.ts\n#EXT-X-ENDLIST\n')
    refusal(tmp_path / 'a.m3u8')


@pytest.mark.parametrize('head', [
    b' \n' * 3000 + b'#EXTM3U\n', b'ffconcat version 1.0\r\nfile x\r\n',
    b'{"files": []}', b'[playlist]\nFile1=a.mp4\n', b'\x89PNG\r\n\x1a\n' + bytes(100), b'GIF89a'])
def test_nothing_that_is_no_video_is_opened(head, tmp_path):
    (tmp_path / 'a.mp4').write_bytes(head)
    refusal(tmp_path / 'a.mp4')


def test_no_other_protocol(tmp_path, monkeypatch):
    """What looks like an address is the name of a file, and missing."""
    monkeypatch.chdir(tmp_path)
    for name in ('http://localhost/a.mp4', 'concat:a.mp4|b.mp4', 'pipe:0', 'subfile,,start,0,:a'):
        assert refusal(name).endswith('is missing')


def test_missing_empty_and_folders(tmp_path):
    (tmp_path / 'empty.mp4').touch()
    (tmp_path / 'link.mp4').symlink_to('nowhere')
    assert refusal(tmp_path / 'a.mp4').endswith('is missing')
    assert refusal(tmp_path / 'empty.mp4').endswith('is empty (0 bytes)')
    assert refusal(tmp_path / 'link.mp4').endswith('is no file, or a link to none')
    assert refusal(tmp_path).endswith('is no file, or a link to none')


def test_what_is_said_of_damaged_files(tmp_path, make_clip):
    path, data = tmp_path / 'a.mp4', make_clip('h264_g9_b3.mp4').read_bytes()
    path.write_bytes(data[:data.index(b'moov') - 4])
    assert 'has no index (its moov box is missing)' in refusal(path)
    path.write_bytes(struct.pack('>I4s4sI', 16, b'ftyp', b'avif', 0) + struct.pack(
        '>I4s', 20, b'meta') + bytes(12))
    assert refusal(path).endswith('is a still picture (HEIF or AVIF) and no video')
    path.write_bytes(bytes(1000))
    assert 'cannot be opened: truncated, damaged or not a video' in refusal(path)
    avi, data = tmp_path / 'a.avi', make_clip('mpeg4_b0.avi').read_bytes()
    avi.write_bytes(data[:-100])
    assert refusal(avi).endswith(f'is truncated: {len(data) - 100} of {len(data)} bytes')
    data = bytearray(make_clip('vp8.webm').read_bytes())
    data[data.index(b'\x9d\x01\x2a') - 3:] = bytes(len(data) - data.index(b'\x9d\x01\x2a') + 3)
    path = tmp_path / 'a.webm'
    path.write_bytes(bytes(data))
    assert 'no frame of its vp8 stream can be' in refusal(path)


def test_codecs_without_a_decoder_are_named(tmp_path, make_clip):
    path = tmp_path / 'a.mp4'
    path.write_bytes(make_clip('h264_g9_b3.mp4').read_bytes().replace(b'avc1', b'zzzz'))
    line = refusal(path)
    assert 'has no decoder for its codec' in line and 'zzzz' in line
    assert av.logging.get_level() is None


def test_sound_alone(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes((DATA / 'audio_only.mp4').read_bytes())
    assert refusal(path).endswith('it holds no video stream (audio)')


def test_memory_is_not_taken_for_frames_that_a_header_claims(tmp_path, make_clip):
    data = bytearray(make_clip('h264_g9_b0.mp4').read_bytes())
    place = data.index(b'stsz')
    data[place + 8:place + 16] = struct.pack('>II', 1, 2**31 - 1)
    path = tmp_path / 'a.mp4'
    path.write_bytes(bytes(data))
    assert 'lists 2,147,483,647 frames' in refusal(path)


def test_a_fragment_that_claims_many_frames(tmp_path, make_clip):
    data = bytearray(make_clip('h264_fragments.mp4').read_bytes())
    place = data.index(b'trun')
    data[place + 8:place + 12] = struct.pack('>I', 2**30)
    path = tmp_path / 'a.mp4'
    path.write_bytes(bytes(data))
    assert 'lists 1,073,741,8' in refusal(path)


def test_large_pictures(tmp_path):
    """A picture of a few bytes that says it is 16384 x 16384, and pixels a thousand times wide."""
    path = tmp_path / 'a.mov'
    encode(Clip('a.mov', 'png', pixels='gray', frames=1), path)
    data = path.read_bytes()
    place = data.index(b'IHDR') + 4
    path.write_bytes(data[:place] + struct.pack('>II', 16384, 16384) + data[place + 8:])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(path).endswith('it is truncated, damaged or too large')
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
    data = bytearray(Clip('a.mp4', options={'aspect': '3/2'}, frames=2).make(tmp_path).read_bytes())
    place = data.index(b'pasp') + 4
    data[place:place + 8] = struct.pack('>II', 2**16, 1)
    path = tmp_path / 'wide.mp4'
    path.write_bytes(bytes(data))
    assert f'its frames are shown as {96 * 2**16} x 64' in refusal(path)


@pytest.mark.parametrize('name', ['h264_g9_b3.mp4', 'mpeg4_b2.avi', 'vp9.webm'])
def test_a_decoder_takes_no_memory_for_larger_frames(name, make_clip, monkeypatch):
    monkeypatch.setattr(container_module, 'MAX_FRAME_PIXELS', 95 * 64)
    assert refusal(make_clip(name)).endswith('it is truncated, damaged or too large')


def test_max_pixels_counts_the_frames_wanted(make_clip):
    path = str(make_clip('h264_g9_b3.mp4'))
    frames, _, _ = read_frames(path, lambda facts: [1, 2], max_pixels=2 * 96 * 64)
    assert len(frames) == 2
    assert refusal(path, max_pixels=2 * 96 * 64 - 1).endswith(
        'is too large: 2 frames of 96 x 64 are 12,288 pixels and max_pixels is 12,287')


@pytest.mark.parametrize('name', ['h264_g9_b3.mp4', 'mpeg4_b2.avi'])
def test_more_packets_than_can_be_meant(name, make_clip, monkeypatch):
    import mmbt.reading.in_order as in_order
    monkeypatch.setattr(table_module, 'MAX_PACKETS', 20)
    monkeypatch.setattr(in_order, 'MAX_PACKETS', 20)
    assert refusal(make_clip(name)).endswith('is too long: more than 20 frames')


def test_a_file_that_changes_while_it_is_read(tmp_path, make_clip, monkeypatch):
    """Packets that were counted are gone when the file is read a second time."""
    path, data = tmp_path / 'a.mkv', make_clip('ffv1.mkv').read_bytes()
    path.write_bytes(data)
    monkeypatch.setattr(table_module, 'KEPT_BYTES', 0)
    with Video(str(path)) as video:
        path.write_bytes(data[:len(data) * 2 // 3])
        with pytest.raises(CountChanged):
            video.read([0, 35])
        assert 0 < video.facts.total_frames < 36 and video.facts.in_order


def test_check_file_takes_what_is_whole(make_clip):
    for name in ('h264_fragments.mp4', 'prores.mov', 'mpeg4.3gp', 'h264.avi', 'wmv2.wmv'):
        check_file(str(make_clip(name)))


def test_the_package_needs_numpy_and_pyav_alone():
    """So that a process can start with it without the nine seconds that all of mmbt takes."""
    code = ('import sys; sys.path.insert(0, sys.argv[1]); import reading; '
            'assert reading.Video.__module__ == "reading.video"; '
            'print([name for name in ("mmbt", "torch", "PIL", "mmengine", "cv2", "decord") '
            'if name in sys.modules])')
    found = subprocess.run([sys.executable, '-c', code, str(Path(mmbt.__file__).parent)],
                           capture_output=True, text=True, check=True)
    assert found.stdout == '[]\n'
