"""Gates: what a layer makes of the branch and of the trunk (Eqs. 4 and 5; Table 11)."""
import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """``sigmoid(W_b) * branch + (1 - sigmoid(W_b)) * trunk``, Eqs. 4 and 5.

    W_b is a vector of D weights that starts at zero: both sides count half.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(width))

    def forward(self, branch: Tensor, trunk: Tensor) -> Tensor:
        """(..., D) of the branch and of the trunk -> (..., D)."""
        share = self.weight.sigmoid()
        return share * branch + (1 - share) * trunk


class Addition(nn.Module):
    """``branch + trunk``, Table 11."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, branch: Tensor, trunk: Tensor) -> Tensor:
        """(..., D) of the branch and of the trunk -> (..., D)."""
        return branch + trunk


class Concatenation(nn.Module):
    """A linear projection of ``[branch, trunk]``, Table 11.

    It starts as ``[I/2, I/2]`` with a bias of zero: both sides count half, as they do in the
    weighted selection that it is compared with.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(2 * width, width)
        with torch.no_grad():
            self.proj.weight.copy_(torch.eye(width).repeat(1, 2) / 2)
        nn.init.zeros_(self.proj.bias)

    def forward(self, branch: Tensor, trunk: Tensor) -> Tensor:
        """(..., D) of the branch and of the trunk -> (..., D)."""
        return self.proj(torch.cat([branch, trunk], dim=-1))


GATES: dict[str, type[nn.Module]] = {
    'weighted': Gate,
    'add': Addition,
    'concat': Concatenation,
}
