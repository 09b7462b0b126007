"""Recognition by the names of the classes."""
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from .class_names import read_classes


@MODELS.register_module()
class ZeroShotHead(nn.Module):
    """Score clips by their similarity to class names; the name itself is the query (App. A).

    The names' features come from :meth:`VideoTextModel.class_features`.

    Args:
        class_file: File with one class name a line.
        classes: The names themselves, instead of a file.
        arch: Architecture whose tokenizer the names are for. Defaults to the text tower's own; the
            model refuses another.
        context_length: Token ids of a name at most. Defaults to 12 (App. A).
        temperature: tau, by which similarities are divided.
        class_names: 'words' turns CamelCase and underscores of the file into words, 'raw' takes its
            lines as they are.

    Raises:
        FileNotFoundError: If ``class_file`` is missing.
        ValueError: If it is empty or repeats a name, or if not just one of ``class_file`` and
            ``classes`` is given.
    """

    def __init__(self,
                 class_file: str | None = None,
                 classes: Sequence[str] | None = None,
                 arch: str | dict | None = None,
                 context_length: int = 12,
                 temperature: float = 0.01,
                 class_names: str = 'words') -> None:
        super().__init__()
        if class_file is not None and classes is None:
            self.classes = read_classes(class_file, class_names)
        elif class_file is None and classes is not None:
            self.classes = list(classes)
        else:
            raise ValueError('give either class_file or classes')
        self.arch = arch
        self.context_length = context_length
        self.temperature = temperature

    def forward(self, video: Tensor, class_features: Tensor) -> Tensor:
        """Compare videos with the classes.

        Args:
            video: (B, E) embeddings.
            class_features: (C, E) of the names, each of length 1.

        Returns:
            (B, C) probabilities of the classes.
        """
        assert len(class_features) == len(self.classes)
        similarity = F.normalize(video, dim=-1) @ class_features.T
        return torch.softmax(similarity / self.temperature, dim=-1)
