"""Which videos of an annotation are there."""
import os
import os.path as osp
from collections.abc import Callable

from ..video_files import StemIndex, is_frame_folder, without_suffix


class VideoFinder:
    """Finds videos below a folder, as files or as folders of frames.

    A video is looked for at its own path first, with and without its suffix, and then by its name
    in the whole tree. An empty file is not there.

    Args:
        folder: The videos.
        by_name: Search the tree; False looks at a video's own path alone, which takes no memory.
        aliases: From a name to other names that the video may have.
    """

    def __init__(self, folder: str, by_name: bool = True,
                 aliases: Callable[[str], list[str]] | None = None) -> None:
        if not osp.isdir(folder):
            raise FileNotFoundError(f'video folder {folder} is missing: put the videos there or '
                                    'give --videos')
        self.folder = folder
        self.by_name = by_name
        self.aliases = aliases or (lambda video: [])
        self._index: StemIndex | None = None

    def find(self, video: str) -> str | None:
        """Return the path of ``video`` below the folder; None where it is not there.

        Raises:
            ValueError: If several files could be the video.
        """
        names = [video, *self.aliases(video)]
        found = next((path for path in map(self._at_its_path, names) if path), None)
        if found or not self.by_name:
            return found
        if self._index is None:
            self._index = StemIndex(self.folder)
        for name in names:
            path = self._index.find(name)
            if _is_there(path):
                return osp.relpath(path, self.folder)
        return None

    def _at_its_path(self, video: str) -> str | None:
        return next((path for path in dict.fromkeys((video, without_suffix(video)))
                     if _is_there(osp.join(self.folder, path))), None)


def _is_there(path: str) -> bool:
    if osp.isdir(path):
        with os.scandir(path) as entries:
            return is_frame_folder(entry.name for entry in entries if entry.is_file())
    return osp.isfile(path) and osp.getsize(path) > 0
