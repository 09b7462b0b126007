"""Masked Branching Token Alignment objective."""
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..losses import token_alignment
from ..structures import VideoEncoding
from ..trunks import Trunk
from .base import ObjectiveHead, require_branch


@MODELS.register_module()
class MBTAHead(ObjectiveHead):
    """The branch's visible tokens reconstruct CLIP's, Eq. 7.

    CLIP's tokens go through its frozen projection, the branch's through W', a fresh linear
    projection of this head. The error is the mean over tokens and channels.

    Args:
        width: Channels D of a token; the model fills it in.
        embed_dim: Channels E of the joint space; the model fills it in.
        loss_weight: Factor of the loss.
    """

    name = 'loss_mbta'

    def __init__(self, width: int, embed_dim: int, loss_weight: float = 1.0) -> None:
        super().__init__(loss_weight)
        self.proj = nn.Linear(width, embed_dim, bias=False)

    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        student = self.proj(require_branch(encoding, 'MBTA'))
        return self.loss_weight * token_alignment(student, trunk.proj(encoding.clip_tokens))
