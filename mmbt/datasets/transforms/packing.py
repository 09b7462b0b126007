"""Pack a clip and its captions for the model."""
import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from mmaction.structures import ActionDataSample
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class PackVideoText(BaseTransform):
    """Pack frames and tokens as inputs, everything else as a data sample.

    Required keys: ``imgs`` (T, 3, H, W) uint8, as ``FormatShape(input_format='NCHW')`` leaves it.
    Where they are more frames than ``clip_len``, by several clips or crops of a video, they become
    views, (V, T, 3, H, W), whose features the model averages. ``states``, which ``FixedDraws`` adds
    in their place, become views likewise.
    Optional keys: ``clip_len`` (T), ``tokens`` (M, L) int64, ``label`` (int), ``captions`` (list of
    M str).

    Returns ``dict(inputs=dict(imgs=..., tokens=...), data_samples=ActionDataSample)``; the data
    sample holds ``gt_label`` (1,) and, as metainfo, ``captions``, ``num_captions`` (M) and
    ``meta_keys``, each if it is present.

    Args:
        meta_keys: Keys copied to the data sample's metainfo.
    """

    def __init__(self, meta_keys: tuple[str, ...] = ('video_id', 'filename', 'img_shape',
                                                     'splits')) -> None:
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict) -> dict:
        """Return the packed sample; see the class."""
        inputs = dict(states=in_views(results)) if 'states' in results else dict(
            imgs=frames_in_views(results))
        if 'tokens' in results:
            inputs['tokens'] = results['tokens']
        sample = ActionDataSample()
        if 'label' in results:
            sample.set_gt_label(results['label'])
        sample.set_metainfo({key: results[key] for key in self.meta_keys if key in results})
        if 'captions' in results:
            captions = list(results['captions'])
            sample.set_metainfo(dict(captions=captions, num_captions=len(captions)))
        return dict(inputs=inputs, data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def frames_in_views(results: dict) -> torch.Tensor:
    """(T, 3, H, W) frames of a clip, (V, T, 3, H, W) of several views."""
    imgs = torch.from_numpy(np.ascontiguousarray(results['imgs']))
    clip_len = results.get('clip_len') or len(imgs)
    return imgs if len(imgs) == clip_len else imgs.unflatten(0, (-1, clip_len))


def in_views(results: dict) -> dict:
    """States whose tokens are (layers, T, 1 + N, D), or (layers, V, T, 1 + N, D) of views."""
    states, clip_len = results['states'], results['clip_len']
    if states['tokens'].shape[1] == clip_len:
        return states
    split = {name: states[name].unflatten(1, (-1, clip_len)) for name in ('tokens', 'scale')
             if name in states}
    return dict(states, **split)
