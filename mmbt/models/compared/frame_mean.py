"""CLIP on each frame: the baseline, and the pooling of its tokens that Table 1 compares with."""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..structures import VideoEncoding
from ..trunk import Trunk
from .refusals import refuse_mask


@MODELS.register_module()
class FrameMean(nn.Module):
    """Mean over frames of CLIP's image embedding; it is blind to the frames' order.

    Args:
        trunk: The image-text model.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, imgs: Tensor, visible: Tensor | None = None) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames.

        Raises:
            ValueError: If a mask is given, or the frames have not the trunk's image size.
        """
        refuse_mask(self, visible)
        last, = self.trunk.hidden_states(imgs, [self.trunk.num_layers])
        return VideoEncoding(
            video=self.trunk.frame_mean(last.cls), clip_tokens=last.patches, clip_cls=last.cls)


@MODELS.register_module()
class STPooling(FrameMean):
    """Spatial-temporal pooling of Sec. 3.2 and Table 1: no module in CLIP, each frame by itself.

    What is pooled is what a dialogue model reads, by :func:`pool_space_and_time` of
    ``clip_tokens``. The encoding, with its embedding in the joint space, is :class:`FrameMean`'s.

    Args:
        trunk: The image-text model.
    """


def pool_space_and_time(tokens: Tensor) -> Tensor:
    """The T + N tokens that spatial-temporal pooling leaves of a clip's T x N (Sec. 3.2).

    First each frame's mean over its positions, in the order of time, then each position's mean
    over the frames. The paper gives their number and not their order; this one is that of
    VideoChatGPT, which it follows.

    Args:
        tokens: (B, T, N, D) patch tokens.

    Returns:
        (B, T + N, D).
    """
    return torch.cat([tokens.mean(dim=2), tokens.mean(dim=1)], dim=1)
