"""What several backbones cannot serve, refused in the same words."""

from torch import Tensor, nn

from ..trunk import Trunk


def refuse_mask(backbone: nn.Module, visible: Tensor | None) -> None:
    """For backbones that read every patch.

    Raises:
        ValueError: If a mask is given.
    """
    if visible is not None:
        raise ValueError(f'{type(backbone).__name__} masks nothing; set mask=None in the config')


def refuse_float8(backbone: nn.Module, trunk: Trunk) -> None:
    """For backbones whose trained weights stand before layers of CLIP.

    Raises:
        ValueError: If the trunk is in float8, which has no gradients.
    """
    if trunk.float8:
        raise ValueError(f"gradients of {type(backbone).__name__} pass through CLIP's layers, and "
                         'float8 has none; set float8=False')
