"""Video-Text Contrastive objective."""
from mmaction.registry import MODELS
from torch import Tensor

from ..losses import symmetric_info_nce
from ..structures import VideoEncoding
from ..trunks import Trunk
from .base import ObjectiveHead


@MODELS.register_module()
class VTCHead(ObjectiveHead):
    """Contrast of whole clips and captions, Eq. 6: the sum of both directions.

    Args:
        temperature: tau, fixed as 0.01 in the paper (Sec. 4.1).
        loss_weight: Factor of the loss.
    """

    name = 'loss_vtc'

    def __init__(self, temperature: float = 0.01, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.temperature = temperature

    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        loss = symmetric_info_nce(encoding.video, text, self.temperature)
        return self.loss_weight * loss
