"""The baseline: CLIP on each frame, averaged."""
from typing import Optional

from mmaction.registry import MODELS
from torch import Tensor, nn

from ..structures import VideoEncoding
from ..trunks import Trunk


@MODELS.register_module()
class FrameMean(nn.Module):
    """Mean over frames of CLIP's image embedding; it is blind to the frames' order.

    Args:
        trunk: The image-text model.
    """

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, imgs: Tensor, visible: Optional[Tensor] = None) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames; there is no branch to mask."""
        assert visible is None, 'frame-mean CLIP has no branch, so nothing to mask'
        last, = self.trunk.hidden_states(imgs, [self.trunk.num_layers])
        video = None
        if self.trunk.embed_dim is not None:
            video = self.trunk.proj(self.trunk.norm(last.cls)).mean(dim=1)
        return VideoEncoding(video=video, clip_tokens=last.patches, clip_cls=last.cls)
