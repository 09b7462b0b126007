"""Where the videos of an annotation lie, files or folders of frames, and their other names."""
import os
import os.path as osp
import re
from collections.abc import Callable, Iterable, Sequence

from mmbt.files.walk import files_below

from .annotations import read_lines

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp', '.webp')
VIDEO_SUFFIXES = ('.mp4', '.avi', '.mkv', '.webm', '.mov', '.mpg', '.mpeg', '.m4v', '.flv', '.3gp',
                  '.wmv', '.mts', '.ogv', '.ts')
# What lies beside videos and is none: texts and tables, subtitles, sound, still pictures, arrays,
# downloads under way.
BESIDE_VIDEOS = ('.json', '.jsonl', '.ndjson', '.txt', '.csv', '.tsv', '.xml', '.yaml', '.yml',
                 '.md', '.html', '.htm', '.log', '.nfo', '.url', '.description', '.srt', '.vtt',
                 '.ass', '.ssa', '.sub', '.idx', '.sbv', '.ttml', '.lrc', '.wav', '.mp3', '.m4a',
                 '.aac', '.flac', '.ogg', '.opus', '.png', '.jpg', '.jpeg', '.bmp', '.tif',
                 '.tiff', '.npy', '.npz', '.pkl', '.pickle', '.pt', '.pth', '.h5', '.hdf5', '.zip',
                 '.tar', '.gz', '.part', '.ytdl', '.tmp', '.md5', '.sha256')
_MAPPED = re.compile(r'(\S+)\s+(vid\d+)')


def check_folder(folder: str) -> None:
    """Raise FileNotFoundError if a folder of videos is missing; '' is the working folder."""
    if folder and not osp.isdir(folder):
        raise FileNotFoundError(f'video folder {folder} is missing: put the videos there or set '
                                "data_prefix=dict(video=...)")


def find_videos(paths: Sequence[str]) -> list[str]:
    """The files that were named, and the videos below folders that were, by suffix and sorted.

    Raises:
        FileNotFoundError: If a path is missing.
        ValueError: If there is no video.
    """
    found: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise FileNotFoundError(f'{path} is missing: name videos, or folders that hold some')
        found += files_below(path, VIDEO_SUFFIXES) if os.path.isdir(path) else [path]
    if not found:
        raise ValueError(f'no videos in {", ".join(paths)}: no file below ends in '
                         f'{", ".join(VIDEO_SUFFIXES)}')
    return found


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
    are no clips of their own. What lies beside a video under its name, ``clip.json`` or
    ``clip.srt``, is never taken for it, and a file whose suffix says nothing only where no other is
    there.

    Args:
        folder: Searched with its subfolders, once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._paths: dict[str, list[str]] = {}
        self._others: dict[str, list[str]] = {}
        for parent, _, names in sorted(os.walk(folder, followlinks=True)):
            if parent != folder and is_frame_folder(names):
                self._paths.setdefault(osp.basename(parent), []).append(parent)
                continue
            for name in sorted(names):
                stem, suffix = osp.splitext(name)
                if suffix.lower() in BESIDE_VIDEOS or name.startswith('.'):
                    continue
                paths = self._paths if suffix.lower() in VIDEO_SUFFIXES else self._others
                paths.setdefault(stem, []).append(osp.join(parent, name))

    def find(self, video: str) -> str:
        """Return the path of ``video``, or ``folder/video`` where no file has its name.

        Raises:
            ValueError: If several files could be the video.
        """
        exact = osp.join(self.folder, video)
        if osp.isfile(exact):
            return exact
        name = osp.basename(video)
        stem = osp.splitext(name)[0]
        paths = next((known[each] for known in (self._paths, self._others)
                      for each in (name, stem) if each in known), [exact])
        if len(paths) > 1:
            raise ValueError(f'video {video!r} could be {paths[0]} or {paths[1]}: keep one of them')
        return paths[0]


def is_mapping(path: str) -> bool:
    """Whether each line of a file is a clip of YouTube's and a ``vid`` with a number.

    MSVD's videos have two names; its ``youtube_mapping.txt`` says which ``vid7`` is which clip.
    """
    return all(_MAPPED.fullmatch(line.strip()) for _, line in read_lines(path))


def read_mapping(path: str) -> Callable[[str], list[str]]:
    """Read ``-4wsuPCjDBc_5_15 vid1`` and so on.

    Args:
        path: The file.

    Returns:
        From a video's name, with or without suffix, to its other name; none if it has none.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If a line has another form, or a name stands in two lines.
    """
    other: dict[str, str] = {}
    for number, line in read_lines(path):
        found = _MAPPED.fullmatch(line.strip())
        if not found:
            raise ValueError(f"{path} line {number} must be a clip's name, a space and vid with a "
                             'number')
        for name, its_other in (found.groups(), found.groups()[::-1]):
            if other.setdefault(name, its_other) != its_other:
                raise ValueError(f'{path} line {number} gives {name} another name than a line '
                                 'above')
    return lambda video: [other[stem] for stem in (without_suffix(video), ) if stem in other]
