"""Masked Branching Token Alignment objective."""
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..losses import cosine_alignment, in_float32, token_alignment, without_autocast
from ..structures import VideoEncoding
from ..trunks import Trunk
from .base import ObjectiveHead, require_branch


@MODELS.register_module()
class MBTAHead(ObjectiveHead):
    """The branch's visible tokens reconstruct CLIP's, Eq. 7.

    CLIP's tokens go through its frozen projection, the branch's through W', a fresh linear
    projection of this head. The error is the mean over tokens and channels. Under autocast too, all
    of it is in float32.

    Args:
        width: Channels D of a token; the model fills it in.
        embed_dim: Channels E of the joint space; the model fills it in.
        loss_weight: Factor of the loss.
        variant: ``'paper'``, or ``'released'`` for the authors' code: CLIP's tokens go through its
            layer norm too, W' has a bias and a layer norm of its own, and the error is
            ``2 - 2 cos``.

    Raises:
        ValueError: If there is no such variant.
    """

    name = 'loss_mbta'

    def __init__(self, width: int, embed_dim: int, loss_weight: float = 1.0,
                 variant: str = 'paper') -> None:
        super().__init__(loss_weight)
        if variant not in ('paper', 'released'):
            raise ValueError(f"variant is 'paper' or 'released', got {variant!r}")
        self.variant = variant
        self.proj: nn.Module = nn.Linear(width, embed_dim, bias=False)
        if variant == 'released':
            self.proj = nn.Sequential(nn.Linear(width, embed_dim), nn.LayerNorm(embed_dim))

    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        branch, clip = in_float32(require_branch(encoding, 'MBTA'), encoding.clip_tokens)
        with without_autocast(branch):
            student = self.proj(branch)
            if self.variant == 'released':
                teacher = trunk.proj(trunk.norm(clip))
                return self.loss_weight * cosine_alignment(student, teacher)
            return self.loss_weight * token_alignment(student, trunk.proj(clip))
