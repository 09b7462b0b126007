"""Folders of shards that nobody meant."""
import io
import json
import tarfile

import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

import mmbt  # noqa: F401
from mmbt.datasets.shards.write import write_shard
from support.fuzz import Door, fuzz

pytestmark = pytest.mark.slow


def clips():
    """Three clips of two small frames."""
    for row in range(3):
        picture = np.full((8, 12, 3), 60 * row, np.uint8)
        jpegs = [cv2.imencode('.jpg', picture + frame)[1].tobytes() for frame in range(2)]
        yield row, dict(video_id=f'v{row}', captions=['a cat', 'ü'], total_frames=9,
                        stored_inds=[2, 6], avg_fps=25., stored_shape=[8, 12],
                        sizes=[len(jpeg) for jpeg in jpegs]), jpegs


def examples(folder):
    path = folder / 'shards' / 'shard-000000.tar'
    path.parent.mkdir()
    shard = write_shard(path, clips())
    (folder / 'shards' / 'shard-000000.json').write_text(json.dumps(shard))
    manifest = dict(format=1, shards=[dict(name=path.name, **{
        name: shard[name] for name in ('clips', 'bytes', 'sha256')})])
    (folder / 'shards' / 'manifest.json').write_text(json.dumps(manifest))
    return [folder / 'shards']


def load(folder):
    """Read every clip."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        data = DATASETS.build(dict(
            type='ShardedVideos', ann_file=str(folder / 'manifest.json'), test_mode=True,
            pipeline=[dict(type='ReadShardFrames', num_frames=2, test_mode=True)]))
    for index in range(len(data)):
        sample = data[index]
        assert len(sample['imgs']) == 2 and sample['imgs'][0].dtype == np.uint8


def jsons(folder):
    """The jsons of clips, which are put into a tar with the right headers."""
    (row, clip, jpegs), *_ = clips()
    (folder / 'clip.json').write_text(json.dumps(clip))
    return [folder / 'clip.json']


def load_json(path):
    folder, text = path.parent / 'clip', path.read_bytes()
    folder.mkdir(exist_ok=True)
    tar = folder / 'shard-000000.tar'
    with tarfile.open(tar, 'w', format=tarfile.USTAR_FORMAT) as file:
        for name, data in (('0.json', text), *((f'0.{i}.jpg', jpeg) for i, jpeg in enumerate(
                next(clips())[2]))):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    tar.with_suffix('.json').write_text(json.dumps(dict(offsets=[0])))
    (folder / 'manifest.json').write_text(json.dumps(dict(shards=[dict(
        name=tar.name, clips=1, bytes=tar.stat().st_size)])))
    load(folder)


DOORS = [
    Door('folder of shards', examples, load),
    Door('json of a clip', jsons, load_json, named=lambda path: ('clip', )),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path)
    assert tally.faults == [] and tally.refused > 20
