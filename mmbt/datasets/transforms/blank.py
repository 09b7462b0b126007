"""Black frames in place of those of a video that cannot be read."""
import numpy as np
from mmaction.datasets.transforms import UniformSample

SIDE = 224


def blank_frames(results: dict, num_frames: int, sample: UniformSample) -> dict:
    """Add black frames to ``results``, as if its video had ``num_frames`` of them.

    Args:
        results: A sample; the keys that ``ReadFrames`` adds are filled in.
        num_frames: Frames of the video that there is not.
        sample: Draws ``frame_inds`` from ``total_frames``.

    Returns:
        ``results``.
    """
    results.setdefault('start_index', 0)
    results.update(total_frames=num_frames, modality='RGB')
    results = sample.transform(results)
    results['imgs'] = [np.zeros((SIDE, SIDE, 3), np.uint8)] * len(results['frame_inds'])
    results['original_shape'] = results['img_shape'] = (SIDE, SIDE)
    return results
