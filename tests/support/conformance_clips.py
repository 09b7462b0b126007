"""The files of the conformance grid: container x codec x group x B frames x cut x turn x rate."""
from fractions import Fraction

from .coded_frames import Clip, cut_at, damaged, first_bytes, hiding, joined_twice, without

NTSC = Fraction(30000, 1001)
_X265 = 'log-level=none:pools=none:frame-threads=1'
_FAST = {'deadline': 'realtime', 'cpu-used': '8'}
_AV1 = {'preset': '12', 'crf': '4', 'svtav1-params': 'lp=1'}


def _x264(group: int, b_frames: int, extra: str = '', **options: str) -> dict[str, str]:
    return {'g': str(group), 'bf': str(b_frames), 'x264-params': f'scenecut=0:{extra}'.rstrip(':'),
            **options}


def _x265(group: int, b_frames: int, extra: str = '') -> dict[str, str]:
    return {'x265-params': f'{_X265}:keyint={group}:bframes={b_frames}:scenecut=0:{extra}'.rstrip(
        ':')}


def _slow_then_fast(number: int) -> int:
    return 200 * number if number < 8 else 1400 + 17 * (number - 7)


def _whole() -> list[Clip]:
    """Encoded once and left alone."""
    clips = [Clip(f'h264_g{group}_b{b}.{suffix}', options=_x264(group, b), rate=rate)
             for suffix, rate in (('mp4', Fraction(25)), ('mov', NTSC), ('mkv', Fraction(25)))
             for group, b in ((1, 0), (9, 0), (9, 3), (250, 2))]
    clips += [
        Clip('h264_open.mp4', options=_x264(9, 3, 'open-gop=1')),
        Clip('h264_open.mkv', options=_x264(9, 3, 'open-gop=1')),
        Clip('h264_refresh.mp4', options=_x264(12, 0, 'intra-refresh=1')),
        Clip('h264_pyramid.mp4', options=_x264(18, 7, 'b-pyramid=normal')),
        Clip('h264_interlaced.mp4', options=_x264(9, 2, 'interlaced=1')),
        Clip('h264_lossless.mp4', options=_x264(9, 2, crf='0'), pixels='yuv444p'),
        Clip('h264_10bit.mp4', options=_x264(9, 2), pixels='yuv420p10le'),
        Clip('h264_fragments.mp4', options=_x264(9, 2),
             container={'movflags': 'frag_keyframe+empty_moov'}),
        Clip('h264.flv', options=_x264(9, 2)),
        Clip('h264.ts', options=_x264(9, 2)),
        Clip('h264.m2ts', options=_x264(9, 2)),
        Clip('h264.avi', options=_x264(9, 2)),
        Clip('h264.h264', options=_x264(9, 2)),
        Clip('h264_ts_named.mp4', options=_x264(9, 2), format='mpegts'),
        Clip('hevc_g9_b0.mp4', 'libx265', _x265(9, 0, 'open-gop=0')),
        Clip('hevc_g9_b3.mp4', 'libx265', _x265(9, 3, 'open-gop=0')),
        Clip('hevc_open.mp4', 'libx265', _x265(9, 3)),
        Clip('hevc_open.mkv', 'libx265', _x265(9, 3)),
        Clip('hevc_layers.mp4', 'libx265', _x265(18, 4, 'temporal-layers=3')),
        Clip('hevc_10bit.mkv', 'libx265', _x265(9, 2), pixels='yuv420p10le'),
        Clip('hevc.ts', 'libx265', _x265(9, 3)),
        Clip('vp8.webm', 'libvpx', {**_FAST, 'g': '9'}),
        Clip('vp9.webm', 'libvpx-vp9', {**_FAST, 'g': '9'}),
        Clip('vp9.mkv', 'libvpx-vp9', {'deadline': 'good', 'cpu-used': '8', 'g': '18'}),
        Clip('vp9.mp4', 'libvpx-vp9', {**_FAST, 'g': '250'}),
        Clip('vp9.ivf', 'libvpx-vp9', {**_FAST, 'g': '9'}),
        Clip('av1.mp4', 'libsvtav1', {**_AV1, 'g': '9'}),
        Clip('av1.mkv', 'libsvtav1', {**_AV1, 'g': '250'}),
        Clip('mpeg4_b2.mp4', 'mpeg4', {'g': '9', 'bf': '2'}),
        Clip('mpeg4_b2.avi', 'mpeg4', {'g': '9', 'bf': '2'}),
        Clip('mpeg4_b0.avi', 'mpeg4', {'g': '9'}),
        Clip('mpeg4.3gp', 'mpeg4', {'g': '9'}),
        Clip('mpeg2_b2.mkv', 'mpeg2video', {'g': '9', 'bf': '2'}),
        Clip('mpeg2_b2.mpg', 'mpeg2video', {'g': '9', 'bf': '2'}),
        Clip('mpeg2_b2.ts', 'mpeg2video', {'g': '9', 'bf': '2'}),
        Clip('mpeg2_b0.vob', 'mpeg2video', {'g': '9'}),
        Clip('mpeg1.mpg', 'mpeg1video', {'g': '9', 'bf': '2'}),
        Clip('mjpeg.avi', 'mjpeg', pixels='yuvj420p'),
        Clip('mjpeg.mp4', 'mjpeg', pixels='yuvj420p'),
        Clip('ffv1.mkv', 'ffv1'),
        Clip('prores.mov', 'prores_ks', pixels='yuv422p10le'),
        Clip('dnxhd.mov', 'dnxhd', {'profile': 'dnxhr_lb'}, pixels='yuv422p', size=(256, 128)),
        Clip('wmv2.wmv', 'wmv2', {'g': '9'}),
        Clip('flv1.flv', 'flv', {'g': '9'}),
        Clip('vp8.ogv', 'libvpx', {**_FAST, 'g': '9'}),
        Clip('pictures.gif', 'gif', pixels='rgb8'),
        Clip('pictures.apng', 'apng', pixels='rgb24'),
        Clip('mpeg4.nut', 'mpeg4', {'g': '9', 'bf': '2'}),
    ]
    return clips


def _odd() -> list[Clip]:
    """Encoded once, with something out of the ordinary."""
    turned = [Clip(f'turned_{degrees}.{suffix}', options=_x264(9, 2), rotation=degrees)
              for degrees in (90, 180, 270) for suffix in ('mp4', 'mov')]
    return turned + [
        Clip('one_frame.mp4', options=_x264(9, 2), frames=1),
        Clip('one_frame.gif', 'gif', pixels='rgb8', frames=1),
        Clip('two_frames.mkv', options=_x264(9, 2), frames=2),
        Clip('odd_size.mp4', options=_x264(9, 2), size=(97, 65), pixels='yuv444p'),
        Clip('variable.mp4', options=_x264(9, 2), times=_slow_then_fast),
        Clip('variable.mkv', options=_x264(9, 2), times=_slow_then_fast),
        Clip('variable.webm', 'libvpx-vp9', {**_FAST, 'g': '9'}, times=_slow_then_fast),
        Clip('sixty.mp4', options=_x264(30, 2), rate=Fraction(60)),
    ]


def _changed() -> list[Clip]:
    """Cut, joined, cut short or damaged afterwards, without being encoded anew."""
    return [
        Clip('cut_edit.mp4', options=_x264(12, 2), change=cut_at(17)),
        Clip('cut_edit.mov', options=_x264(12, 0), change=cut_at(17)),
        Clip('cut_edit_b7.mp4', options=_x264(30, 7), change=cut_at(13)),
        Clip('cut_open.mp4', options=_x264(9, 3, 'open-gop=1'), change=cut_at(12)),
        Clip('cut_hevc.mp4', 'libx265', _x265(9, 3), change=cut_at(12)),
        Clip('cut_turned.mp4', options=_x264(12, 2), rotation=90, change=cut_at(17)),
        Clip('cut_mpeg4.mp4', 'mpeg4', {'g': '12', 'bf': '2'}, change=cut_at(17)),
        Clip('cut_vp9.mp4', 'libvpx-vp9', {**_FAST, 'g': '12'}, change=cut_at(17)),
        Clip('vp8_hidden.webm', 'libvpx', {**_FAST, 'g': '12'}, change=hiding(10)),
        Clip('no_first_key.mp4', options=_x264(12, 2), change=without(0)),
        Clip('no_first_key.mkv', options=_x264(12, 2), change=without(0, 1, 2)),
        Clip('no_first_key.ts', options=_x264(12, 2), change=without(0)),
        Clip('no_first_key_hevc.mkv', 'libx265', _x265(12, 2), change=without(0, 1)),
        Clip('missing.mp4', options=_x264(12, 2), change=without(5, 6, 7, 20)),
        Clip('missing.mkv', options=_x264(12, 2), change=without(13, 14)),
        Clip('missing_key.mp4', options=_x264(12, 2), change=without(12)),
        Clip('short.mkv', options=_x264(12, 2), change=first_bytes(0.6)),
        Clip('short.ts', options=_x264(12, 2), change=first_bytes(0.6)),
        Clip('short.mp4', options=_x264(12, 2), container={'movflags': 'faststart'},
             change=first_bytes(0.6)),
        Clip('short_fragments.mp4', options=_x264(12, 2),
             container={'movflags': 'frag_keyframe+empty_moov'}, change=first_bytes(0.6)),
        Clip('short.mpg', 'mpeg2video', {'g': '9', 'bf': '2'}, change=first_bytes(0.6)),
        Clip('damaged.mp4', options=_x264(12, 2), change=damaged(0.5)),
        Clip('damaged.mkv', options=_x264(12, 2), change=damaged(0.5)),
        Clip('damaged.ts', options=_x264(12, 2), change=damaged(0.5, 400)),
        Clip('joined.ts', options=_x264(12, 2), change=joined_twice),
        Clip('joined.mpg', 'mpeg2video', {'g': '9', 'bf': '2'}, change=joined_twice),
    ]


WHOLE, ODD, CHANGED = _whole(), _odd(), _changed()
CLIPS = {clip.name: clip for clip in WHOLE + ODD + CHANGED}
