"""Opening a file: which formats, which stream, and what is said where it cannot be."""
import os
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from .facts import VideoReadError
from .files import check_file

# Formats that hold a video themselves. What names other files or hosts (concat, hls, dash, sdp,
# image sequences ...) is not among them.
FORMATS = ('mov', 'mp4', 'm4a', '3gp', '3g2', 'mj2', 'matroska', 'webm', 'avi', 'mpegts', 'mpeg',
           'mpegvideo', 'asf', 'flv', 'ogg', 'gif', 'apng', 'ivf', 'nut', 'mxf', 'gxf', 'rm',
           'dv', 'wtv', 'nsv', 'nuv', 'swf', 'yuv4mpegpipe', 'h261', 'h263', 'h264', 'hevc',
           'vvc', 'm4v', 'mjpeg', 'av1', 'obu', 'vc1', 'vc1test', 'cavsvideo', 'dirac', 'amv',
           'webp_pipe')
# The most pixels that a decoder may take memory for in one frame: four times 8K video.
MAX_FRAME_PIXELS = 2**27


@dataclass(frozen=True)
class Header:
    """What the header of a file says; PyAV may not be asked for it once the file is closed.

    Attributes:
        codec: FFmpeg's name of the codec, not of the library that decodes it.
        format: FFmpeg's name of the container.
        width: Of the stream's frames; 0 where it does not say.
        height: The same.
        aspect: Width of a pixel over its height; None or 0 where unknown.
        unit: Seconds in a unit of the stream's times.
        rate: Frames a second; 0.0 where unknown.
        frames: How many; None where it does not say.
        seconds: How long it is; 0.0 where it does not say.
    """

    codec: str
    format: str
    width: int
    height: int
    aspect: Fraction | None
    unit: float
    rate: float
    frames: int | None
    seconds: float


@dataclass
class Source:
    """A file that is open, and the stream of it that is shown.

    Attributes:
        path: The file.
        container: The file, opened.
        stream: The one that FFmpeg takes by default. PyAV ends the process where a stream is asked
            for anything after its container was closed.
        decoder: Its decoder, with one thread, not open yet.
        header: What the file says of itself.
    """

    path: str
    container: Any
    stream: Any
    decoder: Any
    header: Header

    def close(self) -> None:
        """Close the file."""
        self.container.close()


def open_source(path: str, **decoder_options: str) -> Source:
    """Open the video ``path``, a local file alone.

    Args:
        path: The file.
        **decoder_options: FFmpeg's options of the decoder.

    Raises:
        VideoReadError: If it is no video that can be read; the message says why.
    """
    check_file(path)
    limit = str(MAX_FRAME_PIXELS)
    try:
        container = av.open('file:' + os.path.abspath(path), metadata_errors='ignore', options=dict(
            protocol_whitelist='file', format_whitelist=','.join(FORMATS), max_pixels=limit))
    except av.error.ArgumentError as error:
        raise VideoReadError(f'{path} is of no format that is read as a video: a playlist, sound, '
                             'a picture or something rare') from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoReadError(f'{path} cannot be opened: truncated, damaged or not a video '
                             f'({reason(error)})') from error
    try:
        stream = _shown_stream(path, container)
        for other in container.streams:
            if other is not stream:
                other.discard = av.stream.Discard.all
        decoder = stream.codec_context
        decoder.thread_count = 1
        decoder.options = dict(decoder_options, max_pixels=limit)
        return Source(path, container, stream, decoder, _read_header(container, stream))
    except BaseException:
        container.close()
        raise


def _read_header(container: Any, stream: Any) -> Header:
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    return Header(
        codec=stream.codec_context.codec.canonical_name, format=container.format.name,
        width=stream.codec_context.width, height=stream.codec_context.height,
        aspect=stream.sample_aspect_ratio, unit=float(stream.time_base),
        rate=float(stream.average_rate or stream.guessed_rate or 0),
        frames=stream.frames or None, seconds=seconds)


def reason(error: BaseException) -> str:
    """FFmpeg's word for an error, without the path and the numbers around it."""
    return str(getattr(error, 'strerror', None) or error or type(error).__name__)


def _shown_stream(path: str, container: Any) -> Any:
    """The video stream that FFmpeg takes by default; cover pictures are none."""
    videos = [stream for stream in container.streams.video if not _is_cover(stream)]
    best = container.streams.best('video')
    stream: Any | None = best if best in videos else next(iter(videos), None)
    if stream is None:
        others = sorted({other.type for other in container.streams if other.type != 'video'})
        found = ' and '.join(others + ['a cover picture'] * bool(container.streams.video))
        raise VideoReadError(f'{path} cannot be decoded: it holds no video stream '
                             f'({found or "no stream at all"})')
    if stream.codec_context is None:
        raise VideoReadError(f'{path} cannot be decoded: FFmpeg ({_version()}) has no decoder for '
                             f'its codec, {_codec_in_words(container, stream)}')
    return stream


def _is_cover(stream: Any) -> bool:
    flags = av.stream.Disposition
    return bool(stream.disposition & (flags.attached_pic | flags.timed_thumbnails))


def _codec_in_words(container: Any, stream: Any) -> str:
    """What FFmpeg says of a codec that it has no decoder for; PyAV gives it in a log alone."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        text = container.dumps_format()
    finally:
        av.logging.set_level(level)
    found = re.search(rf'Stream #0:{stream.index}\b[^\n]*?: Video: ([\w .()/-]+)', text)
    return found.group(1) if found else 'of an unknown name'


def _version() -> str:
    return 'libavcodec ' + '.'.join(map(str, av.library_versions['libavcodec']))
