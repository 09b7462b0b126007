"""The videos of a data set's config: to be checked, or made into shards."""
from collections.abc import Mapping
from typing import Any

from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from .transforms.frame_folders import find_frame_folder
from .video_text import CaptionedVideos


def videos_of_dataset(dataset: Mapping[str, Any]) -> list[str]:
    """The files of a data set; folders of frames are left out.

    Args:
        dataset: Its config, as that of a data loader.
    """
    source = _without_pipeline(dataset)
    names = [source.get_data_info(index)['filename'] for index in range(len(source))]
    return [name for name in names if find_frame_folder(name) is None]


def captions_of_dataset(dataset: Mapping[str, Any]) -> CaptionedVideos:
    """A data set of captioned videos, for :func:`mmbt.apis.make_shards`.

    Args:
        dataset: Its config, as that of a data loader.

    Raises:
        ValueError: If it is another data set.
    """
    source = _without_pipeline(dataset)
    if not isinstance(source, CaptionedVideos):
        raise ValueError(f'shards are made of CaptionedVideos, not {type(source).__name__}')
    return source


def _without_pipeline(dataset: Mapping[str, Any]) -> Any:
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(dataset, pipeline=[]))
