"""From uint8 frames to normalised batches, on the device."""
from typing import Dict, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseDataPreprocessor

# Per-channel RGB statistics, in 0..255, that OpenAI's and EVA's CLIP were trained with.
CLIP_MEAN = (122.7709383, 116.7460125, 104.09373615)
CLIP_STD = (68.5005327, 66.6321579, 70.32316305)


@MODELS.register_module()
class VideoTextDataPreprocessor(BaseDataPreprocessor):
    """Stack clips and captions, move them to the device, and normalise the frames there.

    The host does not wait for the copies where the data loader pins its memory
    (``pin_memory=True``).

    Args:
        mean: RGB mean in 0..255. Defaults to CLIP's.
        std: RGB standard deviation in 0..255. Defaults to CLIP's.
    """

    def __init__(self,
                 mean: Sequence[float] = CLIP_MEAN,
                 std: Sequence[float] = CLIP_STD) -> None:
        super().__init__(non_blocking=True)
        self.register_buffer('mean', torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: Dict, training: bool = False) -> Dict:
        """Collate what the data loader yields.

        Args:
            data: ``inputs`` with ``imgs``, B tensors of (T, 3, H, W) uint8, and optionally
                ``tokens``, B tensors of (M, L) int64, the M captions of each clip; and
                ``data_samples``, B samples.
            training: Unused: both modes are treated alike.

        Returns:
            ``inputs`` with ``imgs`` (B, T, 3, H, W) float32 and ``tokens`` (sum of M, L), and
            ``data_samples`` as they came.
        """
        inputs = self.cast_data(data['inputs'])
        shapes = {tuple(clip.shape) for clip in inputs['imgs']}
        if len(shapes) > 1:
            raise ValueError(f'clips of one batch differ in shape: {sorted(shapes)}; sample and '
                             'crop all to one size in the pipeline')
        frames = torch.stack(list(inputs['imgs'])).float()  # a copy, normalised in place
        batch = dict(imgs=frames.sub_(self.mean).div_(self.std))
        if 'tokens' in inputs:
            batch['tokens'] = torch.cat(list(inputs['tokens']))
        return dict(inputs=batch, data_samples=data.get('data_samples'))
