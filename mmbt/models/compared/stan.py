"""STAN, which BT-Adapter is compared with: a branch whose every fusion is a sum.

::

    CLIP    ... - V(L-K+1) ---- V(L-K+2) ---- ... ---- V(L) --------+
                     |             |                    |           | CLS of each frame
        CLS, P_t, P_s -(+)         +                    +           + - LN - proj - mean - video
                     |             |                    |           | CLS
    branch        layer 1 ---- layer 2 ---- ... ---- layer K -------+
"""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..branch import ReleasedBranch
from ..bt_adapter import BTAdapter
from ..states import FrameTokens
from ..structures import VideoEncoding
from ..trunk import Trunk
from .refusals import refuse_mask


class STANBranch(ReleasedBranch):
    """The branch of STAN: the authors' form of BT-Adapter's without a CLS of its own.

    Spatial layers are copies of CLIP's, with their epsilon.
    """

    spatial_eps = None

    def start_embeddings(self, width: int, num_frames: int, time_scale: float) -> None:
        """Make the time embedding; the video CLS starts from CLIP's."""
        self.time_embedding = nn.Parameter(time_scale * torch.randn(num_frames, width))

    def first_cls(self, states: FrameTokens, space: FrameTokens) -> Tensor:
        """Half CLIP's own, averaged over frames, and half the class embedding, (B, D).

        Args:
            states: Tokens of the first layer that is read.
            space: ``cls`` (1, 1, D) is CLIP's class embedding with its position.
        """
        return (states.cls.mean(dim=1) + space.cls[:, 0]) / 2


@MODELS.register_module()
class STAN(BTAdapter):
    """CLIP with the branch of STAN beside it (Liu et al., 2023), as in Table 10 of the paper.

    It differs from BT-Adapter in the authors' form (``variant='released'``) in three ways: the
    video CLS starts from CLIP's own class embedding, not a new weight; the branch is joined to CLIP
    by plain sums, not gates, in the middle and at the output; nothing is masked. W_t starts at zero
    here too, so that at first the frames meet in the video CLS alone.

    The output is summed, normalised and projected for each frame and then averaged: after a sum,
    the layer norm's result depends on that order.

    Beside a frozen trunk the branch is trained, STAN(frozen); with ``frozen=False`` in the trunk's
    config both towers are trained too, STAN(open).

    Args:
        trunk: The image-text model.
        num_layers: Layers K of the branch, 1 to L, beside the whole CLIP.
        num_frames: Frames that the time embedding is trained on; fewer read its first rows, more
            read it interpolated.
        drop_path: Stochastic depth of the last branch layer, linear from 0 at the first.
        time_scale: Standard deviation that the time embedding starts with.

    Raises:
        ValueError: If an argument is out of range.
    """

    variants = dict(stan=STANBranch)

    def __init__(self,
                 trunk: Trunk,
                 num_layers: int = 4,
                 num_frames: int = 8,
                 drop_path: float = 0.,
                 time_scale: float = 1.0) -> None:
        super().__init__(trunk, num_layers, num_frames, combination='add', drop_path=drop_path,
                         time_scale=time_scale, variant='stan')

    def space(self) -> FrameTokens:
        """CLIP's position embedding, that of the CLS on its class embedding."""
        space = super().space()
        return FrameTokens(space.cls + self.trunk.class_embedding, space.patches)

    def forward(self, imgs: Tensor, visible: Tensor | None = None) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames.

        Raises:
            ValueError: If a mask is given.
        """
        refuse_mask(self, visible)
        return super().forward(imgs)
