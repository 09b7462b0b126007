"""ST-Adapter, which BT-Adapter is compared with: small convolutions over time inside CLIP.

::

    V(l-1) - adapter - attention - adapter - MLP - V(l)      in each layer l of CLIP

    adapter: tokens + up(conv over time(down(tokens))), patch tokens alone
"""

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from ..structures import VideoEncoding
from ..trunk import Trunk
from .refusals import refuse_float8, refuse_mask


class TimeConvolution(nn.Module):
    """``tokens + W_up conv(W_down tokens)``; with W_up zero, as at the start, it is the identity.

    The convolution is depthwise: each channel of each patch position is joined with the frame
    before and after, zeros beyond the clip. There is no activation.

    Args:
        width: Channels D of a token.
        hidden_width: Channels in between.
    """

    def __init__(self, width: int, hidden_width: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, hidden_width)
        self.conv = nn.Conv3d(
            hidden_width, hidden_width, (3, 1, 1), padding=(1, 0, 0), groups=hidden_width)
        self.up = nn.Linear(hidden_width, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, N, D) -> (B, T, N, D)."""
        volume = self.down(tokens).permute(0, 3, 1, 2).unsqueeze(-1)
        joined = self.conv(volume).squeeze(-1).permute(0, 2, 3, 1)
        return tokens + self.up(joined)


@MODELS.register_module()
class STAdapter(nn.Module):
    """CLIP with ST-Adapters inside (Pan et al., 2022), as in Table 10 of the paper.

    Two adapters in each layer, before the attention and before the MLP, act on the patch tokens.
    The video embedding is the mean over frames of the projected CLS tokens; at the start it is
    that of :class:`FrameMean`. In a frozen trunk the adapters alone are trained; gradients pass
    through all its layers, whose intermediate results training therefore keeps.

    The adapter before the last MLP moves patch tokens that no CLS reads any more; VTC's gradient
    there is zero, and it stays the identity.

    There is no branch: ``clip_tokens`` and ``clip_cls`` of the encoding are those of the last
    layer, with the adapters at work.

    Args:
        trunk: The image-text model.
        adapter_width: Channels inside an adapter. Defaults to 3/8 of D, which are 384 beside
            ViT-L/14, as released.

    Raises:
        ValueError: If ``adapter_width`` is less than 1, or the trunk is in float8, which has no
            gradients.
    """

    def __init__(self, trunk: Trunk, adapter_width: int | None = None) -> None:
        super().__init__()
        if adapter_width is None:
            adapter_width = max(1, trunk.width * 3 // 8)
        if adapter_width < 1:
            raise ValueError(f'adapter_width must be at least 1, got {adapter_width}')
        refuse_float8(self, trunk)
        self.trunk = trunk

        def adapters() -> nn.ModuleList:
            return nn.ModuleList(
                TimeConvolution(trunk.width, adapter_width) for _ in range(trunk.num_layers))

        self.before_attention = adapters()
        self.before_mlp = adapters()

    @property
    def idle_weights(self) -> tuple[str, ...]:
        """Beginnings of the names of weights that adapters in the whole CLIP have, and these not.

        They belong to the layers that the trunk drops.
        """
        first = self.trunk.num_layers
        return tuple(f'{part}.{i}.' for i in range(first, first + self.trunk.drop_last)
                     for part in ('before_attention', 'before_mlp'))

    def forward(self, imgs: Tensor, visible: Tensor | None = None) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames.

        Raises:
            ValueError: If a mask is given, or the frames have not the trunk's image size.
        """
        refuse_mask(self, visible)
        trunk = self.trunk
        state, = trunk.hidden_states(imgs, [0])
        tokens = torch.cat([state.cls[:, :, None], state.patches], dim=2)
        for index in range(trunk.num_layers):
            tokens = trunk.attend(index, on_patches(self.before_attention[index], tokens))
            tokens = trunk.feed_forward(index, on_patches(self.before_mlp[index], tokens))
        cls = tokens[:, :, 0]
        return VideoEncoding(
            video=trunk.frame_mean(cls), clip_tokens=tokens[:, :, 1:], clip_cls=cls)


def on_patches(adapter: nn.Module, tokens: Tensor) -> Tensor:
    """(B, T, 1 + N, D) -> (B, T, 1 + N, D), adapted behind each frame's CLS."""
    return torch.cat([tokens[:, :, :1], adapter(tokens[:, :, 1:])], dim=2)
