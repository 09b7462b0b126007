"""Every config, and the layout of data that the full-size ones document."""
import copy
import functools
import json
from pathlib import Path

import cv2
import numpy as np
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import DefaultScope

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs').rglob('*.py'))
DIALOGUES, TUNINGS = ([path for path in CONFIGS if 'dialogue' in path.parts
                       and path.stem.startswith(kind)] for kind in ('dialogue_', 'tune_'))
RUNNABLE = [path for path in CONFIGS if '_base_' not in path.parts
            and path not in DIALOGUES + TUNINGS]

LSMDC_CLIP = '1004_Movie_00.00.51.926-00.00.54.129'
HMDB_CLASSES = '\n'.join(f'class {i}' for i in range(51))
# Config -> (folder, files with their text, videos, captions of the first sample or its label).
LAYOUTS = {
    'pretrain_webvid': (
        'webvid', {'results_2M_train.csv': 'videoid,name,page_idx,page_dir,duration,contentUrl\n'
                                           '1,A cat,0,p,10,u\n'},
        ['videos/p/1.mp4'], ['A cat']),
    'zeroshot_msrvtt': (
        'msrvtt', {'test_JSFUSION.json': json.dumps({'video7020.mp4': ['a man']})},
        ['videos/video7020.mp4'], ['a man']),
    'zeroshot_didemo': (
        'didemo', {'didemo_ret_test.json': json.dumps({'12@N05_3.mov': ['a', 'b']})},
        ['videos/12@N05_3.mp4'], ['a b']),
    'zeroshot_lsmdc': (
        'lsmdc', {'LSMDC16_challenge_1000_publictect.csv': f'{LSMDC_CLIP}\t0\t1\t2\t3\tSits.\n'},
        [f'videos/1004_Movie/{LSMDC_CLIP}.mp4'], ['Sits.']),
    'zeroshot_activitynet': (
        'activitynet',
        {'anet_ret_val_1.json': json.dumps([{'video': 'v_1.mp4', 'caption': ['a', 'b', 'c']}])},
        ['videos/v_1.mp4'], ['a b c']),
    'zeroshot_k400': (
        'kinetics400', {'kinetics400_val_list_videos.txt': '1.mp4 399\n',
                        'classes.txt': '\n'.join(f'class {i}' for i in range(400))},
        ['videos_val/1.mp4'], 399),
    'zeroshot_hmdb51': (
        'hmdb51', {'hmdb51_val_split_1_videos.txt': 'run/1.mp4 50\n', 'classes.txt': HMDB_CLASSES},
        ['videos/run/1.mp4'], 50),
    'zeroshot_ucf101': (
        'ucf101', {'ucf101_val_split_1_videos.txt': 'Run/1.mp4 0\n',
                   'classes.txt': '\n'.join(f'class {i}' for i in range(101))},
        ['videos/Run/1.mp4'], 0),
    'zeroshot_msvd': (
        'msvd', {'msvd_ret_test.json': json.dumps({'a_1_5.avi': ['a dog']})},
        ['videos/a_1_5.mp4'], ['a dog']),
    'zeroshot_hmdb51_splits': (
        'hmdb51', {**{f'hmdb51_val_split_{i}_videos.txt': 'run/1.mp4 50\n' for i in (1, 2, 3)},
                   'classes.txt': HMDB_CLASSES}, ['videos/run/1.mp4'], 50),
    'zeroshot_ucf101_splits': (
        'ucf101', {**{f'ucf101_val_split_{i}_videos.txt': 'Run/1.mp4 0\n' for i in (1, 2, 3)},
                   'classes.txt': '\n'.join(f'class {i}' for i in range(101))},
        ['videos/Run/1.mp4'], 0),
}
# Frames, tokens, short side that frames are brought to before the crop. Appendix A:
SIZES = {'pretrain_webvid': (8, 32, None), 'zeroshot_msrvtt': (12, 12, 224),
         'zeroshot_didemo': (64, 64, 224), 'zeroshot_lsmdc': (12, 32, 224),
         'zeroshot_activitynet': (64, 64, 224), 'zeroshot_k400': (16, 12, 224),
         'zeroshot_hmdb51': (16, 12, 224), 'zeroshot_ucf101': (16, 12, 224),
         'zeroshot_hmdb51_splits': (16, 12, 224), 'zeroshot_ucf101_splits': (16, 12, 224),
         'zeroshot_msvd': (12, 32, 224)}  # the last as CLIP4Clip, not in the paper
# The released code's:
RELEASED_SIZES = {'zeroshot_msrvtt': (12, 32, 224), 'zeroshot_didemo': (64, 77, 256),
                  'zeroshot_lsmdc': (64, 77, 256), 'zeroshot_activitynet': (64, 77, 256),
                  'zeroshot_k400': (16, 32, 224), 'zeroshot_hmdb51': (16, 32, 224),
                  'zeroshot_ucf101': (16, 32, 224)}
for name, sizes in RELEASED_SIZES.items():
    LAYOUTS[f'released/{name}_released'] = LAYOUTS[name]
    SIZES[f'released/{name}_released'] = sizes
for name, sizes in (('pretrain_webvid_released', (8, 64, 256)),
                    ('pretrain_webvid_eva_clip_g', (8, 32, None))):
    LAYOUTS[name], SIZES[name] = LAYOUTS['pretrain_webvid'], sizes
ZERO_SHOT = sorted(name for name in LAYOUTS if 'zeroshot' in name)


def load(name):
    """Load a config of the project by its name."""
    return read_config(ROOT / 'configs' / f'{name}.py')


def read_config(path):
    """Load a config, which a test may change; each file is parsed once."""
    return copy.deepcopy(_parsed(path))


@functools.cache
def _parsed(path):
    return Config.fromfile(path)


def loader_of(config):
    """Return the config's data loader: test, or train for pretraining."""
    return config.get('test_dataloader') or config.train_dataloader


def lay_out(root, files, videos):
    """Write the files of a data set, and its videos as 4 frames of 64 x 48."""
    for name, text in files.items():
        root.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in videos:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        writer = cv2.VideoWriter(str(root / name), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48))
        for grey in range(4):
            writer.write(np.full((48, 64, 3), 50 * grey, np.uint8))
        writer.release()


def build_dataset(config):
    """Build the data set of a config."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        return DATASETS.build(loader_of(config).dataset)
