"""Writes an explanation's picture and film."""
import os
from pathlib import Path

from mmbt.files.atomic import whole_file

from .explanation import Explanation
from .film import write_film
from .picture import draw_explanation


def places_of(video: str | os.PathLike, out: str | os.PathLike | None = None) -> tuple[Path, Path]:
    """Where the picture and the film of a video's explanation go.

    Args:
        video: The video.
        out: A folder, which is there or ends in a slash, or what the files' names begin with. None:
            ``NAME_explained`` in the working folder.
    """
    name = f'{Path(video).stem}_explained'
    if out is None:
        prefix = Path(name)
    elif os.fspath(out).endswith(os.sep) or os.path.isdir(out):
        prefix = Path(out) / name
    else:
        prefix = Path(out)
        prefix = prefix.with_suffix('') if prefix.suffix in ('.png', '.mp4') else prefix
    return prefix.with_name(f'{prefix.name}.png'), prefix.with_name(f'{prefix.name}.mp4')


def save_explanation(explanation: Explanation,
                     out: str | os.PathLike | None = None) -> tuple[Path, Path]:
    """Write an explanation as a picture, ``OUT.png``, and a film, ``OUT.mp4``.

    Args:
        explanation: What :func:`mmbt.apis.explain` returned.
        out: A folder, or what the files' names begin with. None: the video's name and
            ``_explained`` in the working folder.

    Returns:
        Both paths.

    Raises:
        ValueError: If the installed PyAV has no encoder of H.264.
        OSError: If a file cannot be written.
    """
    picture, film = places_of(explanation.path, out)
    with whole_file(picture) as draft:
        draft.write_bytes(draw_explanation(explanation))
    write_film(explanation, film)
    return picture, film
