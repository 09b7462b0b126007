"""What the training objectives share."""
from abc import ABCMeta, abstractmethod

from torch import Tensor, nn

from ..structures import VideoEncoding
from ..trunks import Trunk


class ObjectiveHead(nn.Module, metaclass=ABCMeta):
    """One training objective.

    Args:
        loss_weight: Factor of the loss in the total; 1 for each in the paper (Sec. 4.1).

    Attributes:
        name (str): Key of the loss in the log.
    """

    name: str

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    @abstractmethod
    def forward(self, encoding: VideoEncoding, text: Tensor, trunk: Trunk) -> Tensor:
        """The weighted loss.

        Args:
            encoding: A batch of encoded clips.
            text: (B, E) text features, clip by clip.
            trunk: The image-text model, for its frozen projection W_v-proj.

        Returns:
            Scalar.
        """


def require_branch(encoding: VideoEncoding, objective: str) -> Tensor:
    """The branch's tokens (B, T, N_vis, D), or an error where the backbone has no branch."""
    if encoding.branch_tokens is None:
        raise ValueError(f'{objective} aligns the tokens of a branch, and this backbone has none; '
                         'remove the head from the config')
    return encoding.branch_tokens
