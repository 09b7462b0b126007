"""The contrastive loss of Eqs. 6 and 8."""
import torch
import torch.nn.functional as F
from torch import Tensor

from .gather import gather_rows, global_mean
from .precision import in_float32, without_autocast


def info_nce(queries: Tensor, keys: Tensor, temperature: float) -> Tensor:
    """L_nce of Eq. 6: each query against the keys of all processes, **mean** over queries.

    Both sides are L2-normalised here, so that the product is CLIP's cosine similarity. Under
    autocast too, all of it is in float32: over a temperature of 0.01 the products reach 100.

    Args:
        queries: (B, E); query m belongs to key m.
        keys: (B, E).
        temperature: The paper's tau, by which similarities are divided (0.01, Sec. 4.1).

    Returns:
        Scalar. Under several processes it is this process's share, see :func:`global_mean`.
    """
    with without_autocast(queries):
        queries, keys = in_float32(queries, keys)
        queries = F.normalize(queries, dim=-1)
        all_keys, first = gather_rows(F.normalize(keys, dim=-1))
        logits = queries @ all_keys.T / temperature
        own = torch.arange(first, first + len(queries), device=queries.device)
        return global_mean(F.cross_entropy(logits, own, reduction='none'))


def symmetric_info_nce(x: Tensor, y: Tensor, temperature: float) -> Tensor:
    """**Sum** of both directions, ``L_nce(x, y) + L_nce(y, x)``, as Eqs. 6 and 8 have it."""
    return info_nce(x, y, temperature) + info_nce(y, x, temperature)
