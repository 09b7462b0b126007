"""Three splits in one evaluation: membership, labels, and each split's numbers by hand."""
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS, METRICS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmbt.datasets.preparation import prepare

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PIPELINE = [dict(type='ReadFrames', num_frames=2, test_mode=True),
            dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]


def build(folder, lists, **arguments):
    """Build the data set of {split: list}."""
    folder.mkdir(exist_ok=True)
    (folder / 'classes.txt').write_text('brush_hair\nsit\n')
    for split, text in lists.items():
        (folder / f'list_{split}.txt').write_text(text)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(
            type='SplitVideos', ann_file='list_{split}.txt', data_root=str(folder),
            data_prefix=dict(video=''), class_file=str(folder / 'classes.txt'),
            pipeline=PIPELINE, test_mode=True, **arguments))


def test_a_video_of_two_splits_is_one_sample(make_video, tmp_path):
    make_video(tmp_path / 'a.mp4')
    dataset = build(tmp_path, {1: 'a.mp4 0\nb.mp4 1\n', 2: 'c.mp4 1\n', 3: 'a.mp4 0\nc.mp4 1\n'})
    assert [(dataset.get_data_info(i)['video_id'], dataset.get_data_info(i)['splits'])
            for i in range(len(dataset))] == [('a.mp4', [1, 3]), ('b.mp4', [1]), ('c.mp4', [2, 3])]
    assert dataset[0]['data_samples'].splits == [1, 3]
    assert dataset.metainfo['classes'] == ['brush hair', 'sit']
    assert build(tmp_path, {}, class_names='raw').metainfo['classes'] == ['brush_hair', 'sit']
    assert len(build(tmp_path, {}, splits=[2])) == 1


def test_lists_that_disagree(tmp_path):
    with pytest.raises(ValueError, match=r'list_2.txt: a.mp4 has label 1 \(from 0\) here and 0'):
        build(tmp_path, {1: 'a.mp4 0\n', 2: 'a.mp4 1\n'}, splits=[1, 2])
    with pytest.raises(FileNotFoundError, match='list_3.txt is missing'):
        build(tmp_path, {}, splits=[1, 3])
    with pytest.raises(ValueError, match='must hold {split}'):
        build(tmp_path, {}, splits=[])


def test_accuracies_by_split_and_their_mean():
    """Three classes; right in split 1: a, not b; in split 2: b not, c right, d right.

    Top-1 is 1/2 and 2/3, the mean 7/12; b is second best, so that top-2 is 1 in both.
    """
    scores = dict(a=[.8, .1, .1], b=[.5, .3, .2], c=[0, .1, .9], d=[.1, .6, .3])
    labels, splits = dict(a=0, b=1, c=2, d=1), dict(a=[1], b=[1, 2], c=[2], d=[2])
    with DefaultScope.overwrite_default_scope('mmaction'):
        metric = METRICS.build(dict(type='SplitAccuracy',
                                    metric_options=dict(top_k_accuracy=dict(topk=(1, 2)))))
    batch = []
    for name, score in scores.items():
        sample = ActionDataSample().set_gt_label(labels[name])
        sample.set_pred_score(torch.tensor(score))
        sample.set_metainfo(dict(splits=splits[name]))
        batch.append(sample.to_dict())
    metric.process(None, batch[:3])
    metric.process(None, batch[3:])
    values = metric.evaluate(4)
    expected = {'acc/split1_top1': 1 / 2, 'acc/split1_top2': 1, 'acc/split2_top1': 2 / 3,
                'acc/split2_top2': 1, 'acc/mean_top1': 7 / 12, 'acc/mean_top2': 1}
    assert {name: values[name] for name in expected} == pytest.approx(expected)


def test_the_config_reports_every_split_and_their_mean(make_video, tmp_path, monkeypatch):
    """From the published lists, with a small model.

    All videos are equal, so that the model takes all for one class: split 1 has two videos of
    class 0; split 2 one of 0 and one of 1; split 3 one of each of three.
    """
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'lists').mkdir()
    names = ['brush_hair', 'sit', 'wave']
    tested = {1: {'brush_hair': 'ab'}, 2: {'brush_hair': 'c', 'sit': 'd'},
              3: {'brush_hair': 'a', 'sit': 'e', 'wave': 'f'}}
    for split, videos in tested.items():
        for name in names:
            text = ''.join(f'{video}.avi 2 \n' for video in videos.get(name, ''))
            (tmp_path / 'lists' / f'{name}_test_split{split}.txt').write_text(text + 'z.avi 1 \n')
            for video in videos.get(name, ''):
                make_video(tmp_path / 'data/hmdb51/videos' / name / f'{video}.avi', codec='MJPG')
    prepare('hmdb51', sorted(map(str, (tmp_path / 'lists').iterdir())))

    config = Config.fromfile(ROOT / 'configs/zeroshot_hmdb51_splits.py')
    arch = dict(embed_dim=8, vision_cfg=dict(image_size=224, patch_size=56, width=8, head_width=8,
                                             layers=2),
                text_cfg=dict(context_length=77, vocab_size=49408, width=8, heads=1, layers=1))
    config.model.trunk = dict(type='OpenCLIPTrunk', arch=arch)
    config.model.backbone.num_layers = 1
    config.test_dataloader.update(num_workers=0, persistent_workers=False)
    config.test_dataloader.dataset.num_classes = 3
    config.work_dir = str(tmp_path / 'run')
    values = Runner.from_cfg(config).test()

    top1 = [values[f'acc/split{split}_top1'] for split in (1, 2, 3)]
    third = pytest.approx(1 / 3, abs=1e-3)
    assert top1 in ([1, 0.5, third], [0, 0.5, third], [0, 0, third])
    assert values['acc/mean_top1'] == pytest.approx(sum(top1) / 3, abs=1e-3)
    assert values['acc/mean_top5'] == 1 and (values['acc/scored'], values['acc/total']) == (6, 6)
