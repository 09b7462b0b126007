"""Videos to embeddings and labels the way MMEngine's inferencers do it."""
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmaction.structures import ActionDataSample
from mmengine.infer import BaseInferencer
from torch import Tensor

from mmbt.datasets import VideoReadError

from .labels import best_first, check_labels
from .load import load
from .loaded import LoadedModel, Videos, read_batches, videos_of

Batch = list[tuple[str, Tensor]]


class VideoTextInferencer(BaseInferencer):
    """``VideoTextInferencer('clip-vit-l-14')('videos/', texts=['a dog', 'a cat'])``.

    Args:
        model: What :func:`mmbt.load` takes, or gave.
        weights: The checkpoint of a config.
        device: Where the model goes. None: a GPU where there is one.
        show_progress: Whether a bar is drawn.
        **kwargs: More of :func:`mmbt.load`.
    """

    preprocess_kwargs: set = set()
    forward_kwargs: set = {'texts'}
    visualize_kwargs: set = set()
    postprocess_kwargs: set = {'top'}

    def __init__(self, model: str | os.PathLike | LoadedModel, weights: str | None = None,
                 device: str | None = None, show_progress: bool = False, **kwargs: Any) -> None:
        if not isinstance(model, LoadedModel):
            place = device or ('cuda' if torch.cuda.is_available() else 'cpu')
            model = load(model, place, weights=weights, **kwargs)
        self.loaded = model
        self.model = model.model
        self.pipeline = self._init_pipeline(None)
        self.collate_fn = list
        self.visualizer = None
        self.scope = 'mmaction'
        self.cfg = None
        self.show_progress = show_progress
        self._texts: tuple[tuple[str, ...], np.ndarray] = ((), np.empty(0))

    def __call__(self, inputs: Videos, return_datasamples: bool = False,
                 batch_size: int = 8, **kwargs: Any) -> dict:
        """Encode videos, and label them where there are texts.

        Args:
            inputs: A video, several, or a folder.
            return_datasamples: Whether predictions are :class:`ActionDataSample`.
            batch_size: Videos encoded at a time.
            **kwargs: ``texts``, two at least, to tell each video's probabilities of; ``top``, how
                many of them are listed, 5 unless it is given.

        Returns:
            ``predictions``, a dict for each video: ``path``, ``embedding`` (E,) of length 1, and
            ``labels``, a list of (text, probability), best first; or the samples, with
            ``video_feature`` and ``pred_score``. ``visualization`` is empty.

        Raises:
            VideoReadError: If a video cannot be read.
            FileNotFoundError: If one is missing.
            ValueError: If an argument is not allowed.
        """
        if 'texts' in kwargs and kwargs['texts'] is not None:
            check_labels(kwargs['texts'], kwargs.get('top', 5), self.loaded.temperature)
        return super().__call__(inputs, return_datasamples, batch_size, **kwargs)

    def _init_pipeline(self, cfg: Any) -> Any:
        return self.loaded.encoder.read

    def _inputs_to_list(self, inputs: Videos) -> list:
        return videos_of(inputs)

    def preprocess(self, inputs: Sequence[str], batch_size: int = 8,
                   **kwargs: Any) -> Iterator[Batch]:
        """Read videos in batches of paths and frames."""
        for batch in read_batches(self.loaded.encoder, inputs, batch_size):
            for _, clip in batch:
                if isinstance(clip, str):
                    raise VideoReadError(clip)
            yield batch

    def forward(self, inputs: Batch, texts: Sequence[str] | None = None,
                **kwargs: Any) -> list[ActionDataSample]:
        """A sample for each video of a batch."""
        rows = self.loaded.encoder.videos([clip for _, clip in inputs])
        samples = []
        for (path, _), row in zip(inputs, rows):
            sample = ActionDataSample(metainfo=dict(path=path))
            sample.video_feature = torch.from_numpy(row)
            if texts is not None:
                cosines = torch.from_numpy(self._embedded(texts) @ row)
                sample.set_pred_score(torch.softmax(cosines / self.loaded.temperature, dim=0))
                sample.set_metainfo(dict(texts=tuple(texts)))
            samples.append(sample)
        return samples

    def _embedded(self, texts: Sequence[str]) -> np.ndarray:
        if self._texts[0] != tuple(texts):
            self._texts = tuple(texts), self.loaded.embed_texts(texts)
        return self._texts[1]

    def visualize(self, inputs: list, preds: Any, show: bool = False, **kwargs: Any) -> list:
        """Nothing: hits are drawn by the sheets of :mod:`mmbt.search.sheet`."""
        return []

    def postprocess(self, preds: list[ActionDataSample], visualization: list,
                    return_datasample: bool = False, top: int = 5, **kwargs: Any) -> dict:
        """Plain values of the samples, or the samples themselves."""
        if return_datasample:
            return dict(predictions=preds, visualization=visualization)
        return dict(predictions=[plain(sample, top) for sample in preds],
                    visualization=visualization)


def plain(sample: ActionDataSample, top: int) -> dict[str, Any]:
    """A sample as values that JSON has."""
    found: dict[str, Any] = dict(path=sample.path, embedding=sample.video_feature.tolist())
    if 'pred_score' in sample:
        scores = sample.pred_score.numpy()
        found['labels'] = [(sample.texts[place], float(scores[place]))
                           for place in best_first(scores)[:top]]
    return found
