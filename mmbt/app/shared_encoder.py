"""A model that several threads use."""
from collections.abc import Callable, Sequence

import numpy as np
from torch import Tensor

from mmbt.search.encoder import Encoder

from .turns import Turns


class SharedEncoder(Encoder):
    """An encoder that encodes one batch at a time, so that a query waits for no more than one.

    Args:
        encoder: Whose model and pipeline it is.
        turns: Who is next.
        watch: Called before each batch of videos; what it raises ends the work.
    """

    def __init__(self, encoder: Encoder, turns: Turns,
                 watch: Callable[[], None] = lambda: None) -> None:
        self.__dict__.update(encoder.__dict__)
        self.turns, self.watch = turns, watch

    def videos_and_means(self, clips: Sequence[Tensor]) -> tuple[np.ndarray, np.ndarray | None]:
        """As :meth:`Encoder.videos_and_means`."""
        self.watch()
        with self.turns:
            return super().videos_and_means(clips)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """As :meth:`Encoder.texts`."""
        with self.turns:
            return super().texts(texts)
