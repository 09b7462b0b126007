"""The token loss of Eq. 7, and the released code's."""
import torch.nn.functional as F
from torch import Tensor

from .gather import global_mean
from .precision import in_float32


def token_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared error between tokens of the branch and of CLIP, Eq. 7.

    **Mean** over clips, frames, visible positions and channels, in float32 at least. The teacher
    gets no gradient.

    Args:
        student: (B, T, N_vis, E).
        teacher: (B, T, N_vis, E), the same tokens in the same order.

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    assert student.shape == teacher.shape, (student.shape, teacher.shape)
    student, teacher = in_float32(student, teacher.detach())
    return global_mean((student - teacher).square().flatten(1).mean(dim=1))


def cosine_alignment(student: Tensor, teacher: Tensor) -> Tensor:
    """``2 - 2 cos`` between tokens of the branch and of CLIP, as in the authors' released code.

    It is the squared distance of the normalised tokens: the **sum** over channels, the **mean**
    over clips, frames and visible positions. Arguments and result as in :func:`token_alignment`.
    """
    assert student.shape == teacher.shape, (student.shape, teacher.shape)
    student, teacher = in_float32(student, teacher.detach())
    cosine = F.cosine_similarity(student, teacher, dim=-1)
    return global_mean((2 - 2 * cosine).flatten(1).mean(dim=1))
