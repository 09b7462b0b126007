"""Captioned videos that were made into shards."""
from typing import Any

from mmaction.datasets import BaseActionDataset
from mmaction.registry import DATASETS

from mmbt.reading import VideoReadError

from ..broken_videos import BrokenVideoPolicy
from .layout import ClipTable


@DATASETS.register_module()
class ShardedVideos(BrokenVideoPolicy, BaseActionDataset):
    """The videos of ``CaptionedVideos`` after ``mmbt prepare shards``; broken ones are gone.

    Any sample is read by its index, as from files, so that shuffling, sharding by rank and
    resuming within an epoch are the same. No caption is kept in memory.

    A sample enters the pipeline as ``dict(filename=..., video_id=..., captions=[...], shard=...,
    frame_ranges=..., stored_inds=..., total_frames=..., avg_fps=...)`` for ``ReadShardFrames``.

    Broken clips: see :class:`~mmbt.datasets.broken_videos.BrokenVideoPolicy`. A clip's name and
    captions are in its shard: where these are damaged as well, an evaluation that goes on calls the
    clip by its number and gives it one empty caption, which is not scored either.

    Args:
        ann_file: The shards' ``manifest.json``.
        pipeline: Transforms.
        test_mode: Evaluation: a broken clip is an error.
        **kwargs: Arguments of ``BaseActionDataset``.

    Raises:
        FileNotFoundError: If the manifest or a shard is missing.
        ValueError: If the manifest is malformed or a shard has another size.
    """

    def __init__(self, ann_file: str, pipeline: list, test_mode: bool = False,
                 **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, pipeline=pipeline, test_mode=test_mode,
                         serialize_data=False, **kwargs)

    def load_data_list(self) -> ClipTable:
        """Return the table of all clips."""
        return ClipTable(self.ann_file)

    def _blank_info(self, idx: int) -> dict:
        try:
            return super()._blank_info(idx)
        except VideoReadError:
            name = f'clip {idx}'
            return dict(filename=name, video_id=name, captions=[''], sample_idx=idx)
