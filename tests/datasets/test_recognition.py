"""LabelledVideos: labels, class names, and lists that do not fit the class file."""
import pytest
from mmaction.registry import DATASETS
from mmengine.registry import DefaultScope

from mmbt.datasets import VideoReadError

PIPELINE = [dict(type='ReadFrames', num_frames=2, test_mode=True),
            dict(type='FormatShape', input_format='NCHW'), dict(type='PackVideoText')]


def build(folder, listing, classes='run\nsit\n', **kwargs):
    """Build the dataset of a list file and a class file."""
    folder.mkdir(exist_ok=True)
    (folder / 'list.txt').write_text(listing)
    (folder / 'classes.txt').write_text(classes)
    arguments = dict(type='LabelledVideos', ann_file='list.txt', data_root=str(folder),
                     class_file=str(folder / 'classes.txt'), data_prefix=dict(video=''),
                     pipeline=PIPELINE, test_mode=True)
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(dict(arguments, **kwargs))


def test_samples_and_class_names(make_video, tmp_path):
    make_video(tmp_path / 'sit' / 'a.mp4')
    dataset = build(tmp_path, 'sit/a.mp4\t2\n', delimiter='\t', label_base=1, num_classes=2)
    assert dataset.metainfo['classes'] == ['run', 'sit']
    sample = dataset[0]
    assert sample['data_samples'].gt_label.tolist() == [1]
    assert sample['data_samples'].video_id == 'sit/a.mp4'
    assert sample['inputs']['imgs'].shape == (2, 3, 48, 64) and 'tokens' not in sample['inputs']


@pytest.mark.parametrize(('listing', 'arguments', 'message'), [
    ('a.mp4 0\nb.mp4 2\n', dict(), 'list.txt line 2: label 2 has no class among the 2 of'),
    ('a.mp4 3\n', dict(label_base=1), 'line 1: label 3 has no class'),
    ('a.mp4 0\n', dict(label_base=1), 'label 0, below label_base 1'),
    ('a.mp4 0\n', dict(num_classes=51), 'names 2 classes but num_classes is 51')])
def test_list_that_does_not_fit_the_classes(tmp_path, listing, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(tmp_path, listing, **arguments)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match='class file .*no.txt is missing'):
        build(tmp_path, 'a.mp4 0\n', class_file=str(tmp_path / 'no.txt'))
    with pytest.raises(FileNotFoundError, match='annotation file .*no.txt is missing'):
        build(tmp_path, 'a.mp4 0\n', ann_file='no.txt')
    with pytest.raises(FileNotFoundError, match='video folder .*clips is missing'):
        build(tmp_path, 'a.mp4 0\n', data_prefix=dict(video='clips'))
    with pytest.raises(VideoReadError, match='a.mp4 is missing'):
        build(tmp_path, 'a.mp4 0\n')[0]
