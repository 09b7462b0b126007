"""Joint space-time attention: all tokens of a clip through CLIP at once."""
from mmaction.registry import MODELS
from torch import Tensor

from ..trunk import Trunk
from .inside_clip import InsideCLIP


@MODELS.register_module()
class JointST(InsideCLIP):
    r"""Joint-ST modeling of Sec. 3.2 and Table 1: every token attends to those of all frames.

    ::

        T x N patches + P_t \
                             layers 1 .. L of CLIP - CLS of each frame - mean - video
        T times CLS         /

    The learnable time embedding P_t starts at zero and is added to the patches beside CLIP's own
    positions; the attention itself is CLIP's, with no new weight. Each frame keeps its CLS. So of
    T equal frames, and of a single one, the start's encoding is exactly that of
    :class:`FrameMean`: T copies of each key share what one had. Of unequal frames it is not.

    The T CLS tokens are equal from the start and see the same tokens, so they stay equal.

    The paper's is of an open trunk. In a frozen one, P_t alone is trained.

    Args:
        trunk: The image-text model.
        num_frames: Frames that the time embedding is trained on; other numbers read it
            interpolated. Defaults to 8 (App. A).

    Raises:
        ValueError: If ``num_frames`` is less than 1, or the trunk is in float8, which has no
            gradients.
    """

    def __init__(self, trunk: Trunk, num_frames: int = 8) -> None:
        super().__init__(trunk, num_frames, first=0)

    def layer(self, index: int, tokens: Tensor) -> Tensor:
        """Layer ``index`` on all frames at once."""
        return self.trunk.layer(index, tokens, joint=True)
