from .answer import IGNORED, answer_cross_entropy
from .gather import gather_rows, global_mean
from .info_nce import info_nce, symmetric_info_nce
from .precision import in_float32, without_autocast
from .token_alignment import cosine_alignment, token_alignment

__all__ = [
    'IGNORED', 'answer_cross_entropy', 'cosine_alignment', 'gather_rows', 'global_mean',
    'in_float32', 'info_nce', 'symmetric_info_nce', 'token_alignment', 'without_autocast'
]
