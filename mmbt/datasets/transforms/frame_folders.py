"""Read the frames of a clip that is kept as a folder of images."""
import os
import os.path as osp

import mmcv
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image

from mmbt.reading import VideoReadError, check_size

from ..video_files import IMAGE_SUFFIXES, frame_names, without_suffix


def find_frame_folder(filename: str) -> str | None:
    """The folder of frames that stands for a video: ``filename`` itself, or without its suffix.

    Args:
        filename: The video, as its annotation names it.

    Returns:
        The folder; None where ``filename`` is a file or nothing at all.
    """
    if osp.isfile(filename):
        return None
    return next((path for path in (filename, without_suffix(filename)) if osp.isdir(path)), None)


def read_frame_folder(folder: str, results: dict, sample: BaseTransform,
                      max_pixels: int | None = None) -> dict:
    """Sample frames of a folder as of a video whose frames are its images.

    Frame ``i`` is the image that is the i-th in the order of the numbers in their names, such as
    ``img_00001.jpg``. Only the images that are drawn are read.

    Args:
        folder: The images of one clip.
        results: ``start_index``; the keys that ``ReadFrames`` adds are filled in.
        sample: Draws ``frame_inds`` from ``total_frames``.
        max_pixels: The most that the drawn frames may hold together.

    Returns:
        ``results``.

    Raises:
        VideoReadError: If the folder holds no image, or an image cannot be decoded, is too large
            or differs in size from the others.
    """
    names = frame_names(os.listdir(folder))
    if not names:
        raise VideoReadError(f'{folder} holds no images')
    results['total_frames'] = len(names)
    results = sample.transform(results)
    first = results['start_index']
    images: dict[int, np.ndarray] = {}
    drawn = list(dict.fromkeys(map(int, results['frame_inds'])))
    limit = None if max_pixels is None else max_pixels // len(drawn)
    for index in drawn:
        path = osp.join(folder, names[index - first])
        images[index] = read_image(path, limit)
    start, shape = next((index, image.shape) for index, image in images.items())
    for index, image in images.items():
        if image.shape != shape:
            raise VideoReadError(
                f'{osp.join(folder, names[index - first])} is {_size(image.shape)} but '
                f'{names[start - first]} is {_size(shape)}: the frames of a clip have one size')
    results['imgs'] = [images[int(index)] for index in results['frame_inds']]
    results['original_shape'] = results['img_shape'] = results['imgs'][0].shape[:2]
    return results


def is_still_image(path: str) -> bool:
    """Whether a file is one picture, by its suffix; an animated WebP or PNG is a video."""
    if not path.lower().endswith(IMAGE_SUFFIXES):
        return False
    try:
        with open(path, 'rb') as file:
            head = file.read(4096)
    except (OSError, ValueError):
        return True  # what reads it says what is wrong
    webp = head[:4] == b'RIFF' and head[8:16] == b'WEBPVP8X' and len(head) > 20 and head[20] & 2
    png = head[:4] == b'\x89PNG' and b'acTL' in head.split(b'IDAT')[0]
    return not (webp or png)


def read_image(path: str, max_pixels: int | None) -> np.ndarray:
    """Decode an image, (H, W, 3) RGB uint8.

    Raises:
        VideoReadError: If it is no image, damaged, or of more than ``max_pixels`` pixels.
    """
    _check_image_size(path, max_pixels)
    try:
        image = mmcv.imread(path) if os.stat(path).st_size else None
    except OSError as error:
        raise VideoReadError(f'{path} cannot be read: {error.strerror}') from error
    if image is None:
        raise VideoReadError(f'{path} cannot be decoded: damaged or not an image')
    return mmcv.bgr2rgb(image)


def _check_image_size(filename: str, max_pixels: int | None) -> None:
    """Refuse an image of more than ``max_pixels`` pixels, told from its header.

    Raises:
        VideoReadError: If it is one.
    """
    if max_pixels is None:
        return
    try:
        with Image.open(filename) as image:
            width, height = image.size
    except Image.DecompressionBombError as error:
        raise VideoReadError(f'{filename} is too large: {error}') from error
    except (OSError, ValueError, SyntaxError):
        return  # the decoder says what is wrong
    check_size(filename, width, height, 1, max_pixels)


def _size(shape: tuple) -> str:
    return f'{shape[1]} x {shape[0]}'
