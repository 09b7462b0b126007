"""What a dialogue model reads in the place of an image's tokens (Sec. 3.2)."""
import torch
from torch import Tensor, nn

from mmbt.models.compared import pool_space_and_time
from mmbt.models.gates import GATES

POOLINGS = ('time', 'space_time', 'none')
CLS_PLACES = (None, 'first', 'last')


class VideoTokens(nn.Module):
    """A video as one sequence of tokens, as wide as CLIP's.

    ::

        branch (B, T, N, D) -(gate)- mean over T - (B, N, D) - LN where the model has one
        CLIP   (B, T, N, D) -/

    Where the backbone has no branch, as CLIP frame by frame, its own tokens are taken.

    Args:
        backbone: Returns a :class:`VideoEncoding`. Its trunk ends where the dialogue model reads
            CLIP (``drop_last``).
        combination: How branch and CLIP are joined: ``'weighted'``, a learnable weight for each
            channel that starts at one half (Sec. 3.2, and what the authors released), ``'add'`` or
            ``'concat'``.
        pooling: ``'time'`` means over the frames, N tokens; ``'space_time'`` leaves T + N, and
            ``'none'`` T x N (Sec. 3.2 and Table 1).
        cls: Where the mean of the frames' CLS tokens stands, joined with the branch's: ``'first'``,
            ``'last'``, or nowhere (None).
        norm: Whether the trunk's last layer norm follows.

    Raises:
        ValueError: If a name is unknown.
    """

    def __init__(self,
                 backbone: nn.Module,
                 combination: str = 'weighted',
                 pooling: str = 'time',
                 cls: str | None = None,
                 norm: bool = False) -> None:
        super().__init__()
        for name, value, known in (('combination', combination, sorted(GATES)),
                                   ('pooling', pooling, POOLINGS), ('cls', cls, CLS_PLACES)):
            if value not in known:
                raise ValueError(f'{name} is one of {list(known)}, got {value!r}')
        self.backbone = backbone
        self.gate = GATES[combination](backbone.trunk.width)
        self.pooling = pooling
        self.cls = cls
        self.norm = norm

    def forward(self, imgs: Tensor) -> Tensor:
        """(B, T, 3, H, W) normalised frames -> (B, n, D)."""
        encoding = self.backbone(imgs)
        patches, cls = encoding.clip_tokens, encoding.clip_cls.mean(dim=1)
        if encoding.branch_tokens is not None:
            patches = self.gate(encoding.branch_tokens, patches)
            cls = self.gate(encoding.branch_cls, cls)
        first, last = ([cls[:, None]] if self.cls == place else [] for place in ('first', 'last'))
        tokens = torch.cat([*first, self.pool(patches), *last], dim=1)
        return self.backbone.trunk.norm(tokens) if self.norm else tokens

    def pool(self, patches: Tensor) -> Tensor:
        """(B, T, N, D) -> (B, n, D)."""
        if self.pooling == 'time':
            return patches.mean(dim=1)
        return pool_space_and_time(patches) if self.pooling == 'space_time' else \
            patches.flatten(1, 2)
