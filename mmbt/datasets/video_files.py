"""Where the video files of an annotation lie."""
import os
import os.path as osp


def check_folder(folder: str) -> None:
    """Raise FileNotFoundError if a folder of videos is missing; '' is the working folder."""
    if folder and not osp.isdir(folder):
        raise FileNotFoundError(f'video folder {folder} is missing: put the videos there or set '
                                "data_prefix=dict(video=...)")


class StemIndex:
    """Finds a video below a folder by its name alone, whatever its subfolder and suffix.

    For sets whose copies differ in layout: LSMDC as ``movie/clip.avi`` or flat ``clip.mp4``,
    ActivityNet and DiDeMo with mixed suffixes.

    Args:
        folder (str): Searched with its subfolders, once.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._paths: dict[str, list[str]] = {}
        for parent, _, names in sorted(os.walk(folder, followlinks=True)):
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
