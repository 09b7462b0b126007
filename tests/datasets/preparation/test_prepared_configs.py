"""The configs read what was prepared from published files."""
import cv2
import numpy as np
import pytest
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmbt.datasets.preparation import prepare

from .published import (
    ANET,
    CLIP,
    DIDEMO,
    HMDB,
    K400,
    LSMDC,
    MSRVTT,
    MSVD,
    ROOT,
    UCF,
    WEBVID_10M,
    write,
)

pytestmark = pytest.mark.slow

# (config, set, published files, video, captions or label of its first sample)
READ = [
    ('pretrain_webvid', 'webvid', {'results_2M_train.csv': WEBVID_10M}, 'p/1.mp4',
     ['A cat, "asleep"']),
    ('zeroshot_msrvtt', 'msrvtt', MSRVTT, 'video7.mp4', ['a man, folding']),
    ('zeroshot_didemo', 'didemo', {'test_data.json': DIDEMO}, '1@N_2.mp4', ['first second']),
    ('zeroshot_lsmdc', 'lsmdc', LSMDC, f'{CLIP}.mp4', ['He sits.']),
    ('zeroshot_activitynet', 'activitynet', {'val_1.json': ANET}, 'v_b.mp4', ['One. Two.']),
    ('zeroshot_msvd', 'msvd', MSVD, 'a_1_5.avi', ['a dog runs', 'a dog']),
    ('zeroshot_k400', 'kinetics400', K400, 'playing_violin/abc_000005_000015.mp4', 1),
    ('zeroshot_hmdb51', 'hmdb51', HMDB, 'brush_hair/a b.avi', 0),
    ('zeroshot_ucf101', 'ucf101', UCF, 'YoYo/v_y.avi', 1),
]


@pytest.mark.parametrize('frames', [False, True], ids=['file', 'frames'])
@pytest.mark.parametrize(('config', 'name', 'files', 'video', 'expected'), READ)
def test_configs_read_what_was_prepared(tmp_path, monkeypatch, make_video, config, name, files,
                                        video, expected, frames):
    """From published files to a sample, with the video as a file and as a folder of frames."""
    monkeypatch.chdir(tmp_path)
    for file, content in files.items():
        write(tmp_path / 'published' / file, content)
    paths = sorted(str(path) for path in (tmp_path / 'published').iterdir())
    cfg = Config.fromfile(ROOT / 'configs' / f'{config}.py')
    data = (cfg.get('test_dataloader') or cfg.train_dataloader).dataset
    path = tmp_path / data.data_root / data.data_prefix.video / video
    if frames:
        path = path.with_name(path.name[:-4])
        path.mkdir(parents=True)
        for index in range(3):
            cv2.imwrite(str(path / f'img_{index:05d}.jpg'), np.full((48, 64, 3), 50, np.uint8))
    else:
        make_video(path, num_frames=3)
    prepare(name, paths, drop_missing=True)
    if 'num_classes' in data:
        data.num_classes = None
    with DefaultScope.overwrite_default_scope('mmaction'):
        sample = DATASETS.build(data)[0]
    assert sample['inputs']['imgs'].shape[1:] == (3, 224, 224)
    label = getattr(sample['data_samples'], 'gt_label', None)
    assert expected == (sample['data_samples'].captions if label is None else label.item())
