"""What every video backbone returns."""
from dataclasses import dataclass

from torch import Tensor


@dataclass
class VideoEncoding:
    """A batch of encoded clips, in the one layout (B, T, N, D): clip, frame, patch, channel.

    Attributes:
        video: (B, E) embedding in the joint space of image and text (Eq. 5), not normalised; None
            where the trunk has no joint space, as in dialogue models.
        clip_tokens: (B, T, N_vis, D) patch tokens of the frozen CLIP's last layer, before its
            final norm, at the visible positions (at all N positions where nothing is masked).
        branch_tokens: (B, T, N_vis, D) patch tokens of the branch's last layer; None where the
            backbone has no branch.
        visible: (B, N_vis) int64, the sorted patch positions that a tube mask left, the same for
            every frame, or (B, T, N_vis) where each frame has its own; None where nothing is
            masked.
        clip_cls: (B, T, D) CLS tokens of the same layer as ``clip_tokens``.
        branch_cls: (B, D) the branch's CLS of the same layer as ``branch_tokens``.
    """

    video: Tensor | None
    clip_tokens: Tensor
    branch_tokens: Tensor | None = None
    visible: Tensor | None = None
    clip_cls: Tensor | None = None
    branch_cls: Tensor | None = None
