"""Lists of classes in every published form become what the set's config reads."""
from pathlib import Path

import pytest

from mmbt.datasets.annotations import read_labels
from mmbt.datasets.preparation import prepare

from .published import HMDB, K400, UCF, place, write

# (set, split, files, videos, {list: its lines}, classes)
CLASSES = [
    ('kinetics400', None, K400,
     ['playing_violin/abc_000005_000015.mp4', '-d_e_000000_000010.mkv'],
     {'kinetics400_val_list_videos.txt': [('playing_violin/abc_000005_000015.mp4', 1),
                                          ('-d_e_000000_000010.mkv', 0)]},
     ['abseiling', 'playing violin', 'zumba']),
    ('kinetics400', 'val', {'list.txt': 'air_drumming/a.mp4 1\nabseiling/b.mp4 0\n'},
     ['air_drumming/a.mp4', 'abseiling/b.mp4'],
     {'kinetics400_val_list_videos.txt': [('air_drumming/a.mp4', 1), ('abseiling/b.mp4', 0)]},
     ['abseiling', 'air drumming']),
    ('kinetics400', 'val', {'list.txt': 'a.mp4 1\n',
                            'label_map.txt': 'abseiling\ndancing (not ballet)\n'}, ['a.mp4'],
     {'kinetics400_val_list_videos.txt': [('a.mp4', 1)]}, ['abseiling', 'dancing (not ballet)']),
    ('hmdb51', None, HMDB, ['brush_hair/a b.avi', 'c.avi', 'wave/w/img_00001.jpg'],
     {'hmdb51_val_split_1_videos.txt': [('brush_hair/a b.avi', 0), ('wave/w', 1)],
      'hmdb51_val_split_2_videos.txt': [('c.avi', 0), ('wave/w', 1)]}, ['brush hair', 'wave']),
    ('hmdb51', 'train', HMDB, ['brush_hair/a b.avi', 'brush_hair/c.avi'],
     {'hmdb51_train_split_1_videos.txt': [('brush_hair/c.avi', 0)],
      'hmdb51_train_split_2_videos.txt': [('brush_hair/a b.avi', 0)]}, None),
    ('hmdb51', None, {'released_split2.txt': 'brush_hair/a b.avi\t1\nwave/w.avi\t2\n'},
     ['brush_hair/a b.avi', 'wave/w.avi'],
     {'hmdb51_val_split_2_videos.txt': [('brush_hair/a b.avi', 0), ('wave/w.avi', 1)]},
     ['brush hair', 'wave']),
    ('hmdb51', None, {'hmdb51_val_split_3_videos.txt': 'wave/w.avi 1\nbrush_hair/a.avi 0\n'},
     ['brush_hair/a.avi', 'wave/w.avi'],
     {'hmdb51_val_split_3_videos.txt': [('wave/w.avi', 1), ('brush_hair/a.avi', 0)]},
     ['brush hair', 'wave']),
    ('ucf101', 'test', UCF, ['YoYo/v_y.avi', 'ApplyEyeMakeup/v_a.avi'],
     {'ucf101_val_split_1_videos.txt': [('YoYo/v_y.avi', 1)],
      'ucf101_val_split_2_videos.txt': [('ApplyEyeMakeup/v_a.avi', 0)]},
     ['apply eye makeup', 'yo yo']),
    ('ucf101', 'train', UCF, ['v_t.mp4'],
     {'ucf101_train_split_1_videos.txt': [('v_t.mp4', 1)]}, ['apply eye makeup', 'yo yo']),
]


@pytest.mark.parametrize(('name', 'split', 'files', 'videos', 'lists', 'classes'), CLASSES)
def test_classes_in_every_published_form(tmp_path, name, split, files, videos, lists, classes):
    for file, content in files.items():
        write(tmp_path / 'published' / file, content)
    place(tmp_path / 'videos', *videos)
    counts = prepare(name, [str(tmp_path / 'published')], str(tmp_path / 'videos'),
                     str(tmp_path / 'out'), split, drop_missing=True)
    for file, expected in lists.items():
        items = read_labels(str(tmp_path / 'out' / file))
        assert [(item['video'], item['label']) for item in items] == expected
    if classes:
        assert (tmp_path / 'out' / 'classes.txt').read_text().splitlines() == classes
    assert [Path(one.written).name for one in counts] == list(lists)
