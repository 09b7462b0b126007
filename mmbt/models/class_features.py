"""The text features of class names, kept for as long as the weights that made them."""
from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor, nn


class KeptFeatures:
    """Features that are computed at first use, and anew once what made them has changed.

    Weights that were trained, loaded, or brought to another precision or device are noticed by
    themselves; :meth:`forget` is for what leaves no mark, such as an exchange of ``.data``.
    """

    def __init__(self) -> None:
        self.kept: tuple[Hashable, Any] | None = None

    def forget(self) -> None:
        """Compute them anew at the next use."""
        self.kept = None

    def get(self, made_by: nn.Module, names: Hashable, compute: Callable[[], Any]) -> Any:
        """The features of these names by this module.

        Args:
            made_by: What encodes them.
            names: What is encoded, and how.
            compute: Makes the features.
        """
        mark = names, tuple(map(_state_of, made_by.parameters()))
        if self.kept is None or self.kept[0] != mark:
            self.kept = mark, compute()
        return self.kept[1]


def _state_of(weight: Tensor) -> tuple:
    """Another value once a weight was moved, cast or written to."""
    written = 0 if weight.is_inference() else weight._version
    return weight.data_ptr(), written, weight.dtype, weight.device
