"""The loss of instruction tuning: what a language model makes of the answers it is told."""
import torch.nn.functional as F
from torch import Tensor

from mmbt.models.losses import global_mean, in_float32

IGNORED = -100
"""A label of what is no word of an answer: prompt, video and padding."""


def answer_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the answers' tokens, each foretold from all that stands before it.

    **Mean** over the tokens of all answers of all processes: a long answer counts more than a
    short one. At least in float32, whatever the precision of the logits.

    Args:
        logits: (B, L, V).
        labels: (B, L) int64, the token at each place where it belongs to an answer, and
            :data:`IGNORED` elsewhere.

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    foretold, told = logits[:, :-1], labels[:, 1:]
    counts = told != IGNORED
    chosen, = in_float32(foretold[counts])
    return global_mean(F.cross_entropy(chosen, told[counts], reduction='none'))
