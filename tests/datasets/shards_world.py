"""Five videos, one of them broken, and the same in shards, for tests."""
import json
from pathlib import Path

import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from mmbt.datasets import CaptionedVideos
from mmbt.datasets.shards.settings import ShardSettings
from mmbt.datasets.shards.write import make_shards

ROOT = Path(__file__).parents[2]
NAMES = [f'{letter}.mp4' for letter in 'abcde']
SETTINGS = ShardSettings(clips=2, frames=6, short_side=32)


def read(num_frames, **kwargs):
    """A pipeline that only reads."""
    return [dict(type='ReadShardFrames', num_frames=num_frames, **kwargs)]


@pytest.fixture
def source(make_video, tmp_path):
    """Five videos of 12 to 16 frames, the third broken, with two captions each."""
    for number, name in enumerate(NAMES):
        make_video(tmp_path / 'videos' / name, num_frames=12 + number)
    (tmp_path / 'videos' / 'c.mp4').write_bytes(b'')
    (tmp_path / 'ann.json').write_text(json.dumps({name: [name, 'é'] for name in NAMES}))
    return CaptionedVideos(ann_file=str(tmp_path / 'ann.json'), pipeline=[],
                           data_prefix=dict(video=str(tmp_path / 'videos')))


@pytest.fixture
def shards(source, tmp_path):
    """The same in shards."""
    make_shards(source, str(tmp_path / 'out'), SETTINGS)
    return tmp_path / 'out'


def build(folder, pipeline, **kwargs):
    """The data set of a folder of shards."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(type='ShardedVideos', ann_file='manifest.json',
                                   data_root=str(folder), pipeline=pipeline, **kwargs))


def contents(folder):
    """Every file of a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
