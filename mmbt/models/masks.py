"""Mask generators: which patch positions the branch sees."""
from abc import ABCMeta, abstractmethod

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn


class Mask(nn.Module, metaclass=ABCMeta):
    """Draw the patches that stay visible.

    Args:
        ratio: Share of positions that is masked, the paper's rho, in [0, 1). Of N positions
            ``round(ratio * N)`` are masked (a half to the even number), but one stays visible
            always. Defaults to 0.7 (Sec. 4.1).

    Raises:
        ValueError: If ``ratio`` lies outside [0, 1).
    """

    def __init__(self, ratio: float = 0.7) -> None:
        super().__init__()
        if not 0 <= ratio < 1:
            raise ValueError(f'mask ratio must lie in [0, 1), got {ratio}')
        self.ratio = ratio

    def num_visible(self, num_patches: int) -> int:
        """Number of visible positions out of ``num_patches``."""
        return max(num_patches - round(self.ratio * num_patches), 1)

    def draw(self, count: int, num_patches: int, device: torch.device) -> Tensor:
        """(count, N_vis) int64, distinct positions in 0..N-1, sorted in each row."""
        noise = torch.rand(count, num_patches, device=device)
        visible = noise.argsort(dim=1)[:, :self.num_visible(num_patches)]
        return visible.sort(dim=1).values

    @abstractmethod
    def forward(self, batch_size: int, num_frames: int, num_patches: int,
                device: torch.device) -> Tensor:
        """Draw the visible positions of each clip.

        Args:
            batch_size: B, clips.
            num_frames: T, frames of a clip.
            num_patches: N, patch positions of a frame.
            device: Where the mask goes.

        Returns:
            Sorted positions, int64: (B, N_vis), the same in every frame, or (B, T, N_vis).
        """


@MODELS.register_module()
class TubeMask(Mask):
    """The same positions stay visible in every frame (Sec. 3.3).

    A mask is the tensor of its visible positions. It has no time axis, so each masked or visible
    position is a tube through the whole clip by construction. Arguments as in :class:`Mask`.
    """

    def __init__(self, ratio: float = 0.7) -> None:  # its own, so that errors name it
        super().__init__(ratio)

    def forward(self, batch_size: int, num_frames: int, num_patches: int,
                device: torch.device) -> Tensor:
        """Draw one mask for each clip, (B, N_vis); see :meth:`Mask.forward`."""
        return self.draw(batch_size, num_patches, device)


@MODELS.register_module()
class RandomMask(Mask):
    """Every frame has visible positions of its own; to compare tubes with (Fig. 4).

    Temporal attention then joins the first visible patch of every frame, the second, and so on,
    which lie near each other and seldom at one position. Arguments as in :class:`Mask`.
    """

    def __init__(self, ratio: float = 0.7) -> None:  # its own, so that errors name it
        super().__init__(ratio)

    def forward(self, batch_size: int, num_frames: int, num_patches: int,
                device: torch.device) -> Tensor:
        """Draw one mask for each frame, (B, T, N_vis); see :meth:`Mask.forward`."""
        return self.draw(batch_size * num_frames, num_patches,
                         device).view(batch_size, num_frames, -1)


def gather_visible(tokens: Tensor, visible: Tensor) -> Tensor:
    """Keep the visible positions of every frame.

    Args:
        tokens: (B, T, N, D); B or T may be 1 where all clips or frames share them.
        visible: (B, N_vis) int64 positions of a tube mask, or (B, T, N_vis) of each frame.

    Returns:
        (B, T, N_vis, D).
    """
    if visible.ndim == 2:
        visible = visible[:, None].expand(-1, tokens.shape[1], -1)
    batch, frames, num_visible = visible.shape
    index = visible[..., None].expand(-1, -1, -1, tokens.shape[3])
    return tokens.expand(batch, frames, -1, -1).gather(2, index)
