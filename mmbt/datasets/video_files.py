"""Where the videos of an annotation lie: files, or folders of frames."""
import os
import os.path as osp
import re
from collections.abc import Iterable

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm', '.mov', '.mpg', '.mpeg', '.m4v', '.flv', '.3gp',
                  '.wmv', '.mts', '.ogv', '.ts')


def check_folder(folder: str) -> None:
    """Raise FileNotFoundError if a folder of videos is missing; '' is the working folder."""
    if folder and not osp.isdir(folder):
        raise FileNotFoundError(f'video folder {folder} is missing: put the videos there or set '
                                "data_prefix=dict(video=...)")


def without_suffix(video: str) -> str:
    """The name without a video's suffix; other dots, as in LSMDC's times, belong to the name."""
    stem, suffix = osp.splitext(video)
    return stem if suffix.lower() in VIDEO_SUFFIXES else video


def frame_names(names: Iterable[str]) -> list[str]:
    """The images among the names of a folder's files, in the order of the numbers in them.

    Optical flow (``flow_*``), which MMAction2 keeps beside the frames, is passed over, and so are
    hidden files.
    """
    images = [name for name in names if name.lower().endswith(IMAGE_SUFFIXES)
              and not name.startswith(('flow_', '.'))]
    return sorted(images, key=lambda name: (_by_numbers(name), name))


def is_frame_folder(names: Iterable[str]) -> bool:
    """Whether files of these names are the frames of one clip: images, and no video."""
    names = list(names)
    return bool(frame_names(names)) and not any(
        name.lower().endswith(VIDEO_SUFFIXES) for name in names)


def _by_numbers(name: str) -> list:
    parts = re.split(r'(\d+)', name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


class StemIndex:
    """Finds a video below a folder by its name alone, whatever its subfolder and suffix.

    For sets whose copies differ in layout: LSMDC as ``movie/clip.avi`` or flat ``clip.mp4``,
    ActivityNet and DiDeMo with mixed suffixes. A subfolder of images is a clip too, and its images
    are no clips of their own.

    Args:
        folder (str): Searched with its subfolders, once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._paths: dict[str, list[str]] = {}
        for parent, _, names in sorted(os.walk(folder, followlinks=True)):
            if parent != folder and is_frame_folder(names):
                self._paths.setdefault(osp.basename(parent), []).append(parent)
                continue
            for name in sorted(names):
                self._paths.setdefault(osp.splitext(name)[0], []).append(osp.join(parent, name))

    def find(self, video: str) -> str:
        """Return the path of ``video``, or ``folder/video`` where no file has its name.

        Raises:
            ValueError: If several files could be the video.
        """
        exact = osp.join(self.folder, video)
        if osp.isfile(exact):
            return exact
        name = osp.basename(video)
        paths = self._paths.get(name) or self._paths.get(osp.splitext(name)[0]) or [exact]
        if len(paths) > 1:
            raise ValueError(f'video {video!r} could be {paths[0]} or {paths[1]}: keep one of them')
        return paths[0]
