"""From uint8 frames to normalised batches, on the device."""
from collections.abc import Mapping, Sequence

import torch
from mmaction.registry import MODELS
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from .card import ModelCard, show
from .states import FrozenStates

# Per-channel RGB statistics, in 0..255, that OpenAI's and EVA's CLIP were trained with.
CLIP_MEAN = (122.7709383, 116.7460125, 104.09373615)
CLIP_STD = (68.5005327, 66.6321579, 70.32316305)


@MODELS.register_module()
class VideoTextDataPreprocessor(BaseDataPreprocessor):
    """Stack clips and captions, move them to the device, and normalise the frames there.

    The host does not wait for the copies where the data loader pins its memory
    (``pin_memory=True``).

    Args:
        mean: RGB mean in 0..255. Defaults to the trunk's, and to CLIP's where there is none.
        std: RGB standard deviation in 0..255. Likewise.
    """

    def __init__(self,
                 mean: Sequence[float] | None = None,
                 std: Sequence[float] | None = None) -> None:
        super().__init__(non_blocking=True)
        self._said = dict(mean=mean, std=std)
        for name, value in (('mean', mean or CLIP_MEAN), ('std', std or CLIP_STD)):
            self.register_buffer(name, torch.tensor(value).view(3, 1, 1), persistent=False)

    def follow(self, card: ModelCard) -> 'VideoTextDataPreprocessor':
        """Take mean and standard deviation from a trunk's card.

        Args:
            card: Of the trunk; its values are of pixels in [0, 1].

        Returns:
            The preprocessor itself.

        Raises:
            ValueError: If the preprocessor was built with others.
        """
        for name, said in self._said.items():
            own = tuple(255 * value for value in getattr(card, name))
            if said is not None and not torch.allclose(torch.tensor(said), torch.tensor(own),
                                                       rtol=0, atol=0.01):
                raise ValueError(f'data_preprocessor says {name}={show(tuple(map(float, said)))}, '
                                 f'and its CLIP ({card.arch}) was trained with {show(own)}: leave '
                                 f'{name} out')
            value = torch.tensor(own).view(3, 1, 1)
            setattr(self, name, value.to(getattr(self, name).device))
        return self

    def forward(self, data: dict, training: bool = False) -> dict:
        """Collate what the data loader yields.

        Args:
            data: ``inputs`` with ``imgs``, B tensors of (T, 3, H, W) uint8, and optionally
                ``tokens``, B tensors of (M, L) int64, the M captions of each clip; and
                ``data_samples``, B samples. ``states``, lists of what ``FixedDraws`` adds for
                each clip, may be in the place of ``imgs``.
            training: Unused: both modes are treated alike.

        Returns:
            ``inputs`` with ``imgs`` (B, T, 3, H, W) float32, or ``FrozenStates``, and ``tokens``
            (sum of M, L), and ``data_samples`` as they came.
        """
        inputs = self.cast_data(data['inputs'])
        frames = self.normalised(inputs['imgs']) if 'imgs' in inputs else stacked(inputs['states'])
        batch = dict(imgs=frames)
        if 'tokens' in inputs:
            batch['tokens'] = torch.cat(list(inputs['tokens']))
        return dict(inputs=batch, data_samples=data.get('data_samples'))

    def normalised(self, imgs: Sequence[Tensor]) -> Tensor:
        """B clips of (T, 3, H, W) uint8 as one batch, normalised.

        Raises:
            ValueError: If they are of several shapes.
        """
        shapes = {tuple(clip.shape) for clip in imgs}
        if len(shapes) > 1:
            raise ValueError(f'clips of one batch differ in shape: {sorted(shapes)}; sample and '
                             'crop all to one size in the pipeline')
        frames = torch.stack(list(imgs)).float()  # a copy, normalised in place
        return frames.sub_(self.mean).div_(self.std)


def stacked(states: Mapping[str, Sequence]) -> FrozenStates:
    """B clips' states, a list for each part of them, as one batch in float32.

    Raises:
        ValueError: If they are of several caches.
    """
    made_by = {(tuple(layers.tolist()), mask, weights) for layers, mask, weights in zip(
        states['layers'], states['mask'], states['weights'])}
    if len(made_by) > 1:
        raise ValueError('clips of one batch have frozen states of several CLIPs, masks or layers; '
                         'make them alike with mmbt cache')
    (layers, mask, weights), = made_by
    tokens = [torch.stack([clip[place] for clip in states['tokens']]).float()
              for place in range(len(layers))]
    if 'scale' in states:
        for place, each in enumerate(tokens):
            each.mul_(torch.stack([clip[place] for clip in states['scale']])[..., None])
    visible = torch.stack(list(states['visible'])).long() if 'visible' in states else None
    return FrozenStates(layers, tuple(tokens), visible, mask, weights)


def follow_card(preprocessor: nn.Module, card: ModelCard) -> None:
    """Let a preprocessor take what a trunk's card says, if it is one that can."""
    if isinstance(preprocessor, VideoTextDataPreprocessor):
        preprocessor.follow(card)
