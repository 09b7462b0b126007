"""Videos as releases before this one read them, by decord: to reproduce their numbers, no more."""
import warnings
from typing import Any

from mmaction.datasets.transforms import DecordDecode, DecordInit

from mmbt.reading import VideoReadError, check_file, check_size

DEPRECATED = ("ReadFrames(reader='decord') is there to reproduce old numbers and goes with the "
              'next release: leave it out, and every video is read right')


class DecordReader(DecordInit):
    """Frames of a video, read by decord; it gives others than a player shows of some files.

    It opens the path, not the file's bytes as MMAction2 does: decord 0.6.0 kills the process on the
    bytes of a truncated AVI.

    Args:
        num_threads: Threads that decord may use for one video.
        max_pixels: The most that one video may decode to.
    """

    def __init__(self, num_threads: int, max_pixels: int | None) -> None:
        super().__init__(num_threads=num_threads)
        warnings.warn(DEPRECATED, FutureWarning, stacklevel=3)
        self.max_pixels = max_pixels
        self.decode = DecordDecode()

    def _get_video_reader(self, filename: str) -> object:
        import decord
        return decord.VideoReader(filename, num_threads=self.num_threads)

    def read(self, results: dict, sample: Any) -> dict:
        """Add the frames that ``sample`` draws to ``results``.

        Raises:
            VideoReadError: If the video cannot be read.
        """
        from decord import DECORDError
        filename = results['filename']
        check_file(filename)
        try:
            results = self.transform(results)
            if results['total_frames'] < 1:
                raise VideoReadError(f'{filename} holds no frames')
            results = sample.transform(results)
            if self.max_pixels is not None:
                # A batch of no frames decodes nothing and has the shape that the header tells.
                height, width = results['video_reader'].get_batch([]).shape[1:3]
                check_size(filename, width, height, len(results['frame_inds']), self.max_pixels)
            return self.decode.transform(results)
        except (DECORDError, RuntimeError, OSError) as error:
            raise VideoReadError(f'{filename} {_reason(error)}') from error
        finally:
            results.pop('video_reader', None)


def _reason(error: Exception) -> str:
    if 'cannot find video stream' in str(error):
        return ('cannot be decoded: decord finds no video stream (audio only, damaged, or a codec '
                'that it does not know)')
    return 'cannot be decoded: truncated, damaged or not a video'
