"""Masked Branching Cross-modal Alignment objective."""
from mmaction.registry import MODELS
from torch import Tensor

from ..losses import in_float32, symmetric_info_nce, without_autocast
from ..structures import VideoEncoding
from ..trunks import Trunk
from .base import ObjectiveHead, require_branch


@MODELS.register_module()
class MBCAHead(ObjectiveHead):
    """Contrast of the mean of the branch's visible patch tokens with captions, Eq. 8.

    Args:
        temperature: tau, fixed as 0.01 in the paper (Sec. 4.1).
        loss_weight: Factor of the loss.
    """

    name = 'loss_mbca'

    def __init__(self, temperature: float = 0.01, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.temperature = temperature

    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        # The projection is linear: projecting the mean is the mean of the projections.
        pooled, = in_float32(require_branch(encoding, 'MBCA'))
        with without_autocast(pooled):
            pooled = trunk.proj(pooled.mean(dim=(1, 2)))
        return self.loss_weight * symmetric_info_nce(pooled, text, self.temperature)
