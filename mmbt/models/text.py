"""The frozen text tower."""
import contextlib

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TextTower(nn.Module):
    """A text transformer of open_clip behind one call, whatever the captions' length.

    Args:
        transformer: open_clip's ``TextTransformer``.
        frozen: Whether it runs without gradient and always in eval mode.
    """

    def __init__(self, transformer: nn.Module, frozen: bool = True) -> None:
        super().__init__()
        self.transformer = transformer
        self.context_length: int = transformer.context_length
        self.frozen = frozen

    def train(self, mode: bool = True) -> 'TextTower':
        return super().train(mode and not self.frozen)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode captions.

        Args:
            tokens: (B, L) int64 token ids with start and end of text, padded by 0; L is at most
                the context length.

        Returns:
            (B, E) features in the joint space, not normalised.

        Raises:
            ValueError: If ``tokens`` has another shape or is longer than the context.
        """
        if tokens.ndim != 2 or tokens.shape[1] > self.context_length:
            raise ValueError(f'the text tower takes token ids of (B, L <= {self.context_length}), '
                             f'got {tuple(tokens.shape)}')
        padded = F.pad(tokens, (0, self.context_length - tokens.shape[1]))
        with torch.no_grad() if self.frozen else contextlib.nullcontext():
            return self.transformer(padded)
