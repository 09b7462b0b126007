"""The training objectives VTC, MBTA and MBCA (Sec. 3.3, Eqs. 6 to 8) as heads of the model."""
from abc import ABCMeta

from mmaction.registry import MODELS
from torch import Tensor, nn

from .losses import (
    cosine_errors,
    global_mean,
    in_float32,
    symmetric_info_nce,
    token_errors,
    without_autocast,
)
from .structures import VideoEncoding
from .trunk import Trunk


class ObjectiveHead(nn.Module, metaclass=ABCMeta):
    """One training objective.

    A head overrides either :meth:`forward`, or :meth:`summarize` and :meth:`compare`: what it needs
    of each clip by itself, and what it makes of all of them. Only the latter can be trained with
    more clips than memory holds, see :class:`VideoTextModel`.

    Args:
        loss_weight: Factor of the loss in the total; 1 for each in the paper (Sec. 4.1).

    Attributes:
        name: Key of the loss in the log.
    """

    name: str

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        """The weighted loss.

        Args:
            encoding: A batch of encoded clips.
            text: (B, E) text features, clip by clip.
            trunk: The image-text model, for its frozen projection W_v-proj.

        Returns:
            Scalar.
        """
        return self.loss_weight * self.compare(self.summarize(encoding, trunk), text)

    def summarize(self, encoding: VideoEncoding, trunk: Trunk) -> Tensor:
        """What the loss needs of each clip, (B, ...), which depends on no other clip."""
        raise NotImplementedError

    def compare(self, summary: Tensor, text: Tensor) -> Tensor:
        """The loss, before its weight, of all clips' summaries (B, ...) and texts (B, E)."""
        raise NotImplementedError

    @property
    def in_parts(self) -> bool:
        """Whether the loss can be had from summaries of parts of a batch."""
        kind = type(self)
        return (kind.forward is ObjectiveHead.forward
                and kind.summarize is not ObjectiveHead.summarize)


def require_branch(encoding: VideoEncoding, objective: str) -> Tensor:
    """The branch's tokens (B, T, N_vis, D), or an error where the backbone has no branch."""
    if encoding.branch_tokens is None:
        raise ValueError(f'{objective} aligns the tokens of a branch, and this backbone has none; '
                         'remove the head from the config')
    return encoding.branch_tokens


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

    def summarize(self, encoding: VideoEncoding, trunk: Trunk) -> Tensor:
        """The video embeddings, (B, E)."""
        return encoding.video

    def compare(self, summary: Tensor, text: Tensor) -> Tensor:
        """Contrast (B, E) videos with (B, E) captions; a scalar, a sum over both directions."""
        return symmetric_info_nce(summary, text, self.temperature)


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

    def summarize(self, encoding: VideoEncoding, trunk: Trunk) -> Tensor:
        """Compare (B, T, N_vis, D) tokens of the branch with CLIP's; (B,) errors."""
        branch, clip = in_float32(require_branch(encoding, 'MBTA'), encoding.clip_tokens)
        with without_autocast(branch):
            student = self.proj(branch)
            if self.variant == 'released':
                teacher = trunk.proj(trunk.norm(clip))
                return cosine_errors(student, teacher)
            return token_errors(student, trunk.proj(clip))

    def compare(self, summary: Tensor, text: Tensor) -> Tensor:
        """The mean over the clips of all processes."""
        return global_mean(summary)


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

    def summarize(self, encoding: VideoEncoding, trunk: Trunk) -> Tensor:
        """The projected mean of (B, T, N_vis, D) tokens, (B, E)."""
        # The projection is linear: projecting the mean is the mean of the projections.
        pooled, = in_float32(require_branch(encoding, 'MBCA'))
        with without_autocast(pooled):
            return trunk.proj(pooled.mean(dim=(1, 2)))

    def compare(self, summary: Tensor, text: Tensor) -> Tensor:
        """Contrast (B, E) means with (B, E) captions; a scalar, a sum over both directions."""
        return symmetric_info_nce(summary, text, self.temperature)
