"""What the space-time attentions inside CLIP's own layers share (Sec. 3.2)."""
from abc import ABCMeta, abstractmethod

import torch
from torch import Tensor, nn

from ..branch import interpolated
from ..structures import VideoEncoding
from ..trunk import Trunk
from .refusals import refuse_float8, refuse_mask


class InsideCLIP(nn.Module, metaclass=ABCMeta):
    """CLIP whose last layers see all frames of a clip, which a time embedding tells apart.

    The video embedding is the mean over frames of the projected CLS tokens, as in
    :class:`FrameMean`. Of a frozen trunk, only what stands outside it is trained; the layers before
    the first trained weight keep nothing for gradients, which pass through all others. An open
    trunk is trained too, with its text tower.

    There is no branch: ``clip_tokens`` and ``clip_cls`` of the encoding are those of the last
    layer, which has seen all frames.

    Args:
        trunk: The image-text model.
        num_frames: Frames that the time embedding is trained on; other numbers read it
            interpolated.
        first: The layer (0-based) before which the time embedding is added to the patches.

    Raises:
        ValueError: If ``num_frames`` is less than 1, or the trunk is in float8, which has no
            gradients.
    """

    def __init__(self, trunk: Trunk, num_frames: int, first: int) -> None:
        super().__init__()
        if num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {num_frames}')
        refuse_float8(self, trunk)
        self.trunk = trunk
        self.first = first
        self.time_embedding = nn.Parameter(torch.zeros(num_frames, trunk.width))

    @abstractmethod
    def layer(self, index: int, tokens: Tensor) -> Tensor:
        """CLIP's layer ``index`` as it is here, (B, T, 1 + N, D) -> (B, T, 1 + N, D)."""

    def forward(self, imgs: Tensor, visible: Tensor | None = None) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames.

        Raises:
            ValueError: If a mask is given, or the frames have not the trunk's image size.
        """
        refuse_mask(self, visible)
        state, = self.trunk.hidden_states(imgs, [self.first])
        time = interpolated(self.time_embedding, imgs.shape[1])[:, None]
        tokens = torch.cat([state.cls[:, :, None], state.patches + time], dim=2)
        for index in range(self.first, self.trunk.num_layers):
            tokens = self.layer(index, tokens)
        cls = tokens[:, :, 0]
        return VideoEncoding(
            video=self.trunk.frame_mean(cls), clip_tokens=tokens[:, :, 1:], clip_cls=cls)
