"""Videos with captions: pretraining and retrieval."""
import os.path as osp
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS

from .annotations import read_captions
from .broken_videos import BrokenVideoPolicy
from .compact import Mapped, serialize
from .video_files import StemIndex, check_folder


@DATASETS.register_module()
class CaptionedVideos(BrokenVideoPolicy, BaseActionDataset):
    """One sample a video, with all its captions; ``TokenizeText`` chooses among them.

    A sample enters the pipeline as ``dict(filename=..., video_id=..., captions=[...])``, the video
    id being the annotation's own name of the video.

    Broken videos: see :class:`~mmbt.datasets.broken_videos.BrokenVideoPolicy`.

    Args:
        ann_file: The annotation file.
        pipeline: Transforms.
        data_prefix: ``video``, the folder of the videos. Defaults to dict(video='').
        form: The annotation's form: 'dict', 'list', 'json' (either), 'webvid', 'msrvtt' or 'lsmdc';
            see :mod:`mmbt.datasets.annotations`.
        join_captions: Join a video's captions with spaces into one paragraph (DiDeMo, ActivityNet).
        match: 'path' takes the annotation's path below the folder; 'stem' finds the file by its
            name without folder and suffix.
        test_mode: Evaluation: a broken video is an error.
        **kwargs: Arguments of ``BaseActionDataset``.

    Raises:
        FileNotFoundError: If the annotation file or the video folder is missing.
        ValueError: If the annotation file is malformed.
    """

    def __init__(self, ann_file: str, pipeline: list, data_prefix: dict | None = None,
                 form: str = 'dict', join_captions: bool = False, match: str = 'path',
                 test_mode: bool = False, **kwargs: Any) -> None:
        if match not in ('path', 'stem'):
            raise ValueError(f"CaptionedVideos: match must be 'path' or 'stem', got {match!r}")
        self.form = form
        self.join_captions = join_captions
        self.match = match
        super().__init__(ann_file=ann_file, pipeline=pipeline,
                         data_prefix=data_prefix or dict(video=''), test_mode=test_mode, **kwargs)

    def load_data_list(self) -> Sequence[dict]:
        """Return ``dict(filename, video_id, captions)`` for every annotated video."""
        entries = read_captions(self.ann_file, self.form)
        folder = self.data_prefix.get('video', '')
        check_folder(folder)
        index = StemIndex(folder) if self.match == 'stem' else None

        def sample(entry: dict) -> dict:
            video, captions = entry['video'], entry['captions']
            filename = index.find(video) if index else osp.join(folder, video)
            if self.join_captions:
                captions = [' '.join(caption.strip() for caption in captions)]
            return dict(filename=filename, video_id=video, captions=captions)

        return Mapped(sample, entries)

    def _serialize_data(self) -> tuple[np.ndarray, np.ndarray]:
        """MMEngine's, without an object for each sample on the way."""
        data = serialize(self.data_list)
        self.data_list: list = []
        return data
