"""A tiny dialogue model in a config, videos that differ, and questions about them."""
import json
from pathlib import Path

from ..search.search_world import write_clip
from .models.folders import clip_folder, llava_v1_folder

FULL_SIZE = Path(__file__).parents[2] / 'configs/dialogue/dialogue_llava_7b.py'
CONFIG = f"""_base_ = [{str(FULL_SIZE)!r}]
model = dict(
    model='llava', vision='clip', dtype='float32',
    backbone=dict(num_layers=3, num_frames=4),
    generation=dict(_delete_=True, max_new_tokens=6, min_new_tokens=6, do_sample=False))
read_frames = dict(_base_.read_frames, num_frames=4)
resize = dict(_base_.resize, scale=(-1, 12))
center_crop = dict(_base_.center_crop, crop_size=12)
pipeline = [read_frames, resize, center_crop, _base_.format_shape]
"""
SAMPLED = CONFIG.replace('do_sample=False', 'do_sample=True, temperature=2.0')
GENERAL = [dict(video_name=f'v_{video}', Q=question, A='a dog') for question, video in [
    ('what is it?', 'a'), ('why is that so?', 'b'), ('and then?', 'a'), ('who?', 'c'),
    ('what is it?', 'a')]]
PAIRS = [dict(video_name='v_b', Q1='what is it?', Q2='which one is it?', A='a dog'),
         dict(video_name='v_a', Q1='who?', Q2='and who?', A='a cat')]
QA = [dict(video='v_a.avi', id=4, question='is it a dog', answer='yes'),
      dict(video='v_c.avi', id=9, question='what is it', answer='dog')]


def write_world(folder):
    """Write ``config.py``, ``sampled.py``, ``videos/v_a.mp4`` to ``v_c`` and the questions."""
    clip_folder(folder / 'clip')
    llava_v1_folder(folder / 'llava')
    (folder / 'config.py').write_text(CONFIG)
    (folder / 'sampled.py').write_text(SAMPLED)
    (folder / 'videos').mkdir()
    for seed, name in enumerate('abc'):
        write_clip(folder / f'videos/v_{name}.mp4', seed)
    for name, questions in (('general', GENERAL), ('pairs', PAIRS), ('qa', QA)):
        (folder / f'{name}_questions.json').write_text(json.dumps(questions))
