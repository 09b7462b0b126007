"""Mask generators: which patch positions the branch sees."""
import torch
from mmaction.registry import MODELS
from torch import Tensor, nn


@MODELS.register_module()
class TubeMask(nn.Module):
    """Draw, for each clip, the patch positions that stay visible in every frame (Sec. 3.3).

    A mask is the tensor of its visible positions. It has no time axis, so each masked or visible
    position is a tube through the whole clip by construction.

    Args:
        ratio: Share of positions that is masked, the paper's rho, in [0, 1). Of N positions
            ``N - int(ratio * N)`` stay visible. Defaults to 0.7 (Sec. 4.1).

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
        return num_patches - int(self.ratio * num_patches)

    def forward(self, batch_size: int, num_patches: int, device: torch.device) -> Tensor:
        """Draw one mask for each clip.

        Returns:
            (B, N_vis) int64, distinct positions in 0..N-1, sorted within each clip.
        """
        noise = torch.rand(batch_size, num_patches, device=device)
        visible = noise.argsort(dim=1)[:, :self.num_visible(num_patches)]
        return visible.sort(dim=1).values


def gather_visible(tokens: Tensor, visible: Tensor) -> Tensor:
    """Keep the visible positions of every frame.

    Args:
        tokens: (B, T, N, D), or (1, T, N, D) where all clips share them.
        visible: (B, N_vis) int64 positions.

    Returns:
        (B, T, N_vis, D).
    """
    batch, num_visible = visible.shape
    frames, width = tokens.shape[1], tokens.shape[3]
    index = visible[:, None, :, None].expand(batch, frames, num_visible, width)
    return tokens.expand(batch, -1, -1, -1).gather(2, index)
