"""The frozen text tower."""
import contextlib
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .tokenizer import TokenizerSpec


class TextTower(nn.Module):
    """A text transformer of open_clip behind one call, whatever the captions' length.

    Args:
        transformer: open_clip's ``TextTransformer``.
        frozen: Whether it runs without gradient and always in eval mode.
        tokenizer: Which tokenizer it was trained with. Defaults to OpenAI's CLIP's.
    """

    def __init__(self, transformer: nn.Module, frozen: bool = True,
                 tokenizer: TokenizerSpec | None = None) -> None:
        super().__init__()
        self.transformer = transformer
        self.context_length: int = transformer.context_length
        self.frozen = frozen
        self.tokenizer = tokenizer or TokenizerSpec()

    @property
    def pooling(self) -> str:
        """Where it reads a caption: ``'argmax'``, its highest id, or ``'eos'``, its end token."""
        return getattr(self.transformer, 'pool_type', 'argmax')

    def tokenize(self, texts: Sequence[str], context_length: int | None = None) -> Tensor:
        """(M, L) int64 token ids of M texts, by the tower's own tokenizer.

        Args:
            texts: The texts; of a longer one the end is cut, and its last token ends it.
            context_length: L. None: all that the tower takes.

        Raises:
            FileNotFoundError: If the tokenizer is on the hub and cannot be had.
            ValueError: If it is not this tower's after all: an id that ends a text is missing.
        """
        tokens = self.tokenizer.build()(
            list(texts), context_length=context_length or self.context_length)
        self.check(tokens)
        return tokens

    def check(self, tokens: Tensor) -> None:
        """Refuse token ids in which the tower would not find a caption's end.

        It would read every caption at the same place, or at some word.

        Args:
            tokens: (B, L) int64.

        Raises:
            ValueError: If they are another tokenizer's.
        """
        if not tokens.numel():
            return
        vocabulary = getattr(self.transformer, 'vocab_size', None)
        if vocabulary is not None and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
            raise ValueError(f'the text tower knows token ids below {vocabulary}, got '
                             f'{int(tokens.max())}: {self._remedy}')
        if self.pooling == 'eos':
            end = self.transformer.eos_id
            lacking = int((tokens != end).all(dim=1).sum())
            if lacking:
                raise ValueError(f'the text tower reads a caption at its end token, id {end}, which'
                                 f' {lacking} of {len(tokens)} captions lack: {self._remedy}')
        elif self.pooling == 'argmax':
            places = torch.arange(tokens.shape[1], device=tokens.device)
            behind = places > tokens.argmax(dim=1, keepdim=True)
            padding = getattr(self.transformer, 'pad_id', 0)
            lost = int(((tokens != 0) & (tokens != padding) & behind).any(dim=1).sum())
            if lost:
                raise ValueError('the text tower reads a caption at its highest token id, behind '
                                 f'which {lost} of {len(tokens)} captions go on: {self._remedy}')

    @property
    def _remedy(self) -> str:
        return (f'they are of another tokenizer than its own ({self.tokenizer}); take '
                'model.trunk.tokenize(texts)')

    def train(self, mode: bool = True) -> 'TextTower':
        """Stay in eval mode where frozen."""
        return super().train(mode and not self.frozen)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode captions, unchecked.

        Whether they are of its tokenizer is :meth:`check`'s to say, for which a GPU would have to
        be waited for.

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
