"""CaptionedVideos: samples, file lookup, and the policy on broken videos."""
import csv
import json
import re

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmbt.datasets import CaptionedVideos, VideoReadError
from mmbt.datasets import broken_videos as broken_videos_module
from mmbt.engine import ResumableSampler

from .scale import write_webvid

TRAIN = [dict(type='ReadFrames', num_frames=2),
         dict(type='Resize', scale=(32, 32), keep_ratio=False),
         dict(type='TokenizeText', context_length=8),
         dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]
TEST = [dict(TRAIN[0], test_mode=True), TRAIN[1], dict(TRAIN[2], caption='all'), *TRAIN[3:]]


def build(folder, captions, pipeline=TRAIN, **kwargs):
    """Build the dataset of ``captions`` (video -> texts) whose files lie in ``folder``."""
    folder.mkdir(exist_ok=True)
    (folder / 'ann.json').write_text(json.dumps(captions))
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(type='CaptionedVideos', ann_file='ann.json',
                                   data_root=str(folder), data_prefix=dict(video=''),
                                   pipeline=pipeline, **kwargs))


def test_training_sample_holds_one_caption(make_video, tmp_path):
    make_video(tmp_path / 'a.mp4')
    dataset = build(tmp_path, {'a.mp4': ['one', 'two', 'three']})
    assert len(dataset) == 1
    info = dataset.get_data_info(0)
    assert info['filename'] == str(tmp_path / 'a.mp4')
    assert (info['video_id'], info['captions']) == ('a.mp4', ['one', 'two', 'three'])
    np.random.seed(0)
    drawn = [dataset[0]['data_samples'].captions for _ in range(20)]
    assert {tuple(captions) for captions in drawn} == {('one', ), ('two', ), ('three', )}
    assert dataset[0]['inputs']['tokens'].shape == (1, 8)


def test_test_sample_holds_all_captions(make_video, tmp_path):
    make_video(tmp_path / 'a.mp4')
    dataset = build(tmp_path, {'a.mp4': ['one', 'two']}, TEST, test_mode=True)
    first, again = dataset[0], dataset[0]
    assert first['data_samples'].captions == ['one', 'two']
    assert first['data_samples'].num_captions == 2 and first['inputs']['tokens'].shape == (2, 8)
    assert torch.equal(first['inputs']['imgs'], again['inputs']['imgs'])


def test_joined_captions_are_one_query(make_video, tmp_path):
    dataset = build(tmp_path, {'a.mp4': ['A man sits. ', 'He stands.']}, join_captions=True)
    assert dataset.get_data_info(0)['captions'] == ['A man sits. He stands.']


def test_files_found_by_stem(make_video, tmp_path):
    clip = '1004_Movie_00.00.51.926-00.00.54.129'
    flat, nested = make_video(tmp_path / f'{clip}.avi', codec='MJPG'), tmp_path / 'x' / 'b.mkv'
    nested.parent.mkdir()
    nested.touch()
    dataset = build(tmp_path, {f'1004_Movie/{clip}.avi': ['a'], 'b.mp4': ['b'], 'c.mp4': ['c'],
                               clip: ['d']}, match='stem')
    names = [dataset.get_data_info(i)['filename'] for i in range(4)]
    assert names == [str(flat), str(nested), str(tmp_path / 'c.mp4'), str(flat)]
    (tmp_path / 'b.avi').touch()
    with pytest.raises(ValueError, match=r"'b.mp4' could be .*b.avi or .*b.mkv"):
        build(tmp_path, {'b.mp4': ['b']}, match='stem')


def test_missing_folder_and_bad_match(tmp_path):
    build(tmp_path, {'a.mp4': ['a']})
    arguments = dict(ann_file=str(tmp_path / 'ann.json'), pipeline=[])
    with pytest.raises(FileNotFoundError, match='video folder .*gone is missing'):
        CaptionedVideos(data_prefix=dict(video=str(tmp_path / 'gone')), **arguments)
    with pytest.raises(FileNotFoundError, match='annotation file .*gone.json is missing'):
        CaptionedVideos(ann_file=str(tmp_path / 'gone.json'), pipeline=[])
    with pytest.raises(ValueError, match="match must be 'path' or 'stem'"):
        CaptionedVideos(match='name', **arguments)


def test_training_replaces_and_counts_broken_videos(make_video, broken_videos):
    folder, reasons = broken_videos
    make_video(folder / 'good.mp4')
    dataset = build(folder, {name: ['x'] for name in [*reasons, 'good.mp4']}, max_refetch=1000)
    np.random.seed(0)
    for index in [*range(len(reasons) + 1)] * 2:
        assert dataset[index]['data_samples'].video_id == 'good.mp4'
    assert dataset.num_broken == len(reasons)


def test_broken_video_is_logged_with_its_name(make_video, tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(broken_videos_module, 'print_log', lambda line, **_: lines.append(line))
    make_video(tmp_path / 'good.mp4')
    dataset = build(tmp_path, {'gone.mp4': ['x'], 'good.mp4': ['y']}, max_refetch=1000)
    np.random.seed(1)
    dataset[0]
    dataset[0]
    line, = lines
    assert 'gone.mp4 is missing' in line and dataset.num_broken == 1
    assert line.endswith('(1 so far, this one by the main process)')
    make_video(tmp_path / 'gone.mp4')
    assert dataset[0]['data_samples'].video_id == 'gone.mp4' and dataset.num_broken == 0


def test_workers_share_the_count(make_video, tmp_path):
    """Worker 0 meets files 0 and 2, worker 1 files 1 and 3; three of them are missing."""
    make_video(tmp_path / 'good.mp4')
    dataset = build(tmp_path, {'gone.mp4': ['x'], 'gone2.mp4': ['x'], 'good.mp4': ['y'],
                               'good2.mp4': ['y']}, max_refetch=1000)
    loader = Runner.build_dataloader(
        dict(dataset=dataset, batch_size=1, num_workers=2,
             sampler=dict(type='DefaultSampler', shuffle=False)), seed=0)
    ids = [batch['data_samples'][0].video_id for batch in loader]
    assert ids == ['good.mp4'] * 4
    assert loader.dataset.num_broken == 3


def test_training_stops_where_nothing_can_be_read(tmp_path):
    dataset = build(tmp_path, {'gone.mp4': ['x']}, max_refetch=3)
    with pytest.raises(ValueError, match='4 videos in a row could not be read') as error:
        dataset[0]
    assert 'gone.mp4 is missing' in str(error.value) and '\n' not in str(error.value)
    assert dataset.num_broken == 1


def test_evaluation_stops_at_a_broken_video(broken_videos):
    folder, reasons = broken_videos
    dataset = build(folder, {name: ['x'] for name in reasons}, TEST, test_mode=True)
    for index, (name, reason) in enumerate(reasons.items()):
        with pytest.raises(VideoReadError, match=f'{re.escape(name)} .*{reason}'):
            dataset[index]
    assert dataset.num_broken == 0


def test_other_errors_pass_through(make_video, tmp_path):
    make_video(tmp_path / 'a.mp4')

    def fail(results):
        raise ValueError('a bug in a transform')

    dataset = build(tmp_path, {'a.mp4': ['x']}, [TRAIN[0], fail])
    with pytest.raises(ValueError, match='a bug in a transform'):
        dataset[0]
    assert dataset.num_broken == 0


def test_a_table_of_many_rows(tmp_path):
    """50,000 rows: each as the csv module reads it, no object kept for a row, an order at once."""
    path = write_webvid(tmp_path / 'table.csv', 50000)
    dataset = CaptionedVideos(ann_file=str(path), form='webvid', pipeline=[],
                              data_prefix=dict(video=str(tmp_path)))
    with open(path, encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(dataset) == 50000 and len(dataset.data_list) == 0
    for index in (0, 1, 777, 49998, 49999):
        video = f"{rows[index]['page_dir']}/{rows[index]['videoid']}.mp4"
        info = dataset.get_data_info(index)
        assert info['captions'] == [rows[index]['name']] and info['video_id'] == video
        assert info['filename'] == str(tmp_path / video)
    sampler = ResumableSampler(dataset, shuffle=True, seed=0)
    sampler.begin(seed=1, epoch=1, skipped=49990)
    assert len(set(sampler.order())) == 50000 and len(list(sampler)) == 10


def test_captions_of_a_video_are_gathered_over_the_table(tmp_path):
    (tmp_path / 'a.csv').write_text('name,videoid,page_dir\none,1,p\n"tw,o",2,p\n\n"thr\nee",1,p\n')
    arguments = dict(ann_file=str(tmp_path / 'a.csv'), form='webvid', pipeline=[])
    expected = [('p/1.mp4', ['one', 'thr\nee']), ('p/2.mp4', ['tw,o'])]
    for kwargs in (dict(), dict(serialize_data=False)):
        dataset = CaptionedVideos(**arguments, **kwargs)
        infos = [dataset.get_data_info(index) for index in (0, 1)]
        assert [(info['video_id'], info['captions']) for info in infos] == expected
    assert CaptionedVideos(indices=[1], **arguments).get_data_info(0)['video_id'] == 'p/2.mp4'
    assert CaptionedVideos(indices=1, **arguments).get_data_info(0)['video_id'] == 'p/1.mp4'
    assert dataset.get_subset([1]).get_data_info(0)['video_id'] == 'p/2.mp4'
