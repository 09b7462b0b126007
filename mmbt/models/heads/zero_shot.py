"""Recognition by the names of the classes."""
from typing import Dict, Optional, Sequence, Union

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmbt.class_names import read_classes


@MODELS.register_module()
class ZeroShotHead(nn.Module):
    """Score clips by their similarity to class names; the name itself is the query (App. A).

    The names' features are computed once, by :class:`mmbt.engine.ClassPromptHook` before an
    evaluation or by :meth:`VideoTextModel.set_classes`, and are not saved with the weights.

    Args:
        class_file: File with one class name a line.
        classes: The names themselves, instead of a file.
        arch: Architecture whose tokenizer the names are for. Defaults to the text tower's own; the
            model refuses another.
        context_length: Token ids of a name at most. Defaults to 12 (App. A).
        temperature: tau, by which similarities are divided.
        class_names: 'words' turns CamelCase and underscores of the file into words, 'raw' takes
            its lines as they are. Defaults to 'words'.

    Raises:
        FileNotFoundError: If ``class_file`` is missing.
        ValueError: If it is empty or repeats a name, or if not just one of ``class_file`` and
            ``classes`` is given.
    """

    def __init__(self,
                 class_file: Optional[str] = None,
                 classes: Optional[Sequence[str]] = None,
                 arch: Union[str, Dict, None] = None,
                 context_length: int = 12,
                 temperature: float = 0.01,
                 class_names: str = 'words') -> None:
        super().__init__()
        if (class_file is None) == (classes is None):
            raise ValueError('give either class_file or classes')
        self.classes = (list(classes) if classes is not None
                        else read_classes(class_file, class_names))
        self.arch = arch
        self.context_length = context_length
        self.temperature = temperature
        self.register_buffer('class_features', None, persistent=False)

    def set_class_features(self, features: Tensor) -> None:
        """Store the names' (C, E) text features."""
        assert len(features) == len(self.classes)
        self.class_features = F.normalize(features, dim=-1)

    def forward(self, video: Tensor) -> Tensor:
        """(B, E) video embeddings -> (B, C) probabilities of the classes."""
        if self.class_features is None:
            raise ValueError('the class names have no features yet; call model.set_classes(), or '
                             "add dict(type='ClassPromptHook') to custom_hooks")
        similarity = F.normalize(video, dim=-1) @ self.class_features.T
        return torch.softmax(similarity / self.temperature, dim=-1)
