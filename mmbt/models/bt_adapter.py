"""The Branching Temporal Adapter, Sec. 3.1 of the paper.

::

    CLIP    V(0) - ... - V(L-K) ---- V(L-K+1) ---- ... ---- V(L-1) ---- V(L)
                           |            |                      |          | mean over frames
           CLS, P_t, P_s -(+)          gate                   gate      gate - LN - proj - video
                           |            |                      |          | CLS
    branch               layer 1 ---- layer 2 ---- ... ---- layer K ------+
"""

from mmaction.registry import MODELS
from torch import Tensor, nn

from .branch import VARIANTS
from .gates import GATES
from .masks import gather_visible
from .states import FrameTokens
from .structures import VideoEncoding
from .trunk import Trunk


@MODELS.register_module()
class BTAdapter(nn.Module):
    """Frozen CLIP with the Branching Temporal Adapter beside it (Eqs. 2 to 5).

    Beside a trunk without its last layers, as in dialogue models, the branch lacks as many.

    Args:
        trunk: The image-text model.
        num_layers: Layers K of the branch, 1 to L, beside the whole CLIP. Defaults to 4 (Table 8,
            Fig. 3).
        num_frames: Frames that the time embedding is trained on. Defaults to 8 (App. A).
        temporal_proj: Start of W_t: ``'zero'``, ``'random'`` or ``'none'`` (Table 11).
        combination: ``'weighted'``, ``'add'`` or ``'concat'`` (Table 11).
        interaction: Whether layers 2 to K read CLIP's layers too (Table 6).
        drop_path: Stochastic depth of the last branch layer, linear from 0 at the first.
        time_scale: Root mean square that the time embedding starts with, sinusoids in the paper's
            variant and noise in the released one. The paper is silent; the authors' code has 1.
        variant: ``'paper'``, or ``'released'`` for what the authors' released weights were trained
            for; see :class:`~mmbt.models.branch.ReleasedBranch`.

    Raises:
        ValueError: If an argument is out of range.
    """

    variants = VARIANTS

    def __init__(self,
                 trunk: Trunk,
                 num_layers: int = 4,
                 num_frames: int = 8,
                 temporal_proj: str = 'zero',
                 combination: str = 'weighted',
                 interaction: bool = True,
                 drop_path: float = 0.,
                 time_scale: float = 1.0,
                 variant: str = 'paper') -> None:
        super().__init__()
        depth = trunk.num_layers + trunk.drop_last
        if not 1 + trunk.drop_last <= num_layers <= depth:
            raise ValueError(f'num_layers of the branch must lie in {1 + trunk.drop_last}..{depth},'
                             f" the trunk's layers, got {num_layers}")
        if num_frames < 1:
            raise ValueError(f'num_frames must be at least 1, got {num_frames}')
        for name, value, known in (('combination', combination, GATES),
                                   ('variant', variant, self.variants)):
            if value not in known:
                raise ValueError(f'{name} is one of {sorted(known)}, got {value!r}')
        self.trunk = trunk
        self.num_layers = num_layers
        self.branch = self.variants[variant](trunk, num_layers - trunk.drop_last, num_frames,
                                             temporal_proj, combination, interaction, drop_path,
                                             time_scale)

    @property
    def idle_weights(self) -> tuple[str, ...]:
        """Beginnings of the names of weights that a branch beside the whole CLIP has, and this not.

        They belong to the layers that stand beside those that the trunk drops.
        """
        kept = self.num_layers - self.trunk.drop_last
        lost = range(kept, self.num_layers)
        return tuple(f'branch.{part}.' for i in lost
                     for part in (f'temporal.{i}', f'spatial.{i}', f'gates.{i - 1}'))

    def space(self) -> FrameTokens:
        """P_s, CLIP's position embedding: ``cls`` (1, 1, D) and ``patches`` (1, 1, N, D)."""
        position = self.trunk.position_embedding[None, None]
        return FrameTokens(position[:, :, 0], position[:, :, 1:])

    def forward(self, imgs: Tensor, visible: Tensor | None = None) -> VideoEncoding:
        """Encode clips.

        Args:
            imgs: (B, T, 3, H, W) normalised frames.
            visible: (B, N_vis) int64 sorted positions that the branch sees, or (B, T, N_vis) of
                each frame; None for all. CLIP sees all in any case: the mask is asymmetric
                (Sec. 3.3).
        """
        states = self.trunk.hidden_states(imgs, self.branch.taps, visible)
        space = self.space()
        if visible is not None:
            space = FrameTokens(space.cls, gather_visible(space.patches, visible))
        cls, tokens = self.branch(states, space)
        last = states[-1]
        video = None
        if self.trunk.embed_dim is not None:
            video = self.branch.embedding(cls, last.cls, self.trunk)
        return VideoEncoding(
            video=video,
            clip_tokens=last.patches,
            branch_tokens=tokens,
            visible=visible,
            clip_cls=last.cls,
            branch_cls=cls)
