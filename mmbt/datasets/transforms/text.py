"""Turn captions into token ids."""
from collections.abc import Callable

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform
from torch import Tensor

from mmbt.models.tokenizer import TokenizerSpec, tokenizer_spec


@TRANSFORMS.register_module()
class TokenizeText(BaseTransform):
    """Choose captions and tokenize them.

    A longer caption is cut, its last token becoming the end of text.

    Required keys: ``captions`` (list of str) and ``video_id`` or ``filename``.

    Modified keys: ``captions`` (the M chosen ones). Added keys: ``tokens`` (M, L) int64.

    Args:
        context_length: L, tokens of a caption with start and end of text.
        arch: The text tower's architecture; see :func:`mmbt.models.tokenizer.build_tokenizer`.
            Defaults to the model's own, which :class:`mmbt.engine.ModelCardHook` and
            :func:`mmbt.datasets.fit_pipeline` tell; without either, to OpenAI's CLIP's, and a text
            tower of another refuses the ids.
        caption: 'random' takes one caption, drawn with ``np.random``; 'all' takes every one.

    Raises:
        ValueError: If a caption is not text, or there is none.
    """

    def __init__(self, context_length: int, arch: str | dict | None = None,
                 caption: str = 'random') -> None:
        if caption not in ('random', 'all'):
            raise ValueError(f"TokenizeText: caption must be 'random' or 'all', got {caption!r}")
        if context_length < 3:
            raise ValueError('TokenizeText: context_length must be at least 3 (start, one token, '
                             f'end), got {context_length}')
        self.context_length = context_length
        self.arch = arch
        self.caption = caption
        spec = TokenizerSpec() if arch is None else tokenizer_spec(arch)
        self.says = None if arch is None else str(spec)
        self.tokenizer: Callable[..., Tensor] = spec.build()

    def transform(self, results: dict) -> dict:
        """Add ``tokens`` to ``results``; see the class."""
        captions = results['captions']
        video = results.get('video_id', results.get('filename'))
        if not captions:
            raise ValueError(f'video {video!r} has no caption')
        if self.caption == 'random':
            captions = [captions[np.random.randint(len(captions))]]
        for caption in captions:
            if not isinstance(caption, str):
                raise ValueError(f'a caption of video {video!r} is not text: {caption!r}')
        results['captions'] = captions
        results['tokens'] = self.tokenizer(captions, context_length=self.context_length)
        return results

    def __repr__(self) -> str:
        return (f'{type(self).__name__}(context_length={self.context_length}, '
                f'arch={self.arch!r}, caption={self.caption!r})')
