"""The moving-shapes world: its grammar, its splits and its files."""
import hashlib
import json
from collections import Counter

import decord
import numpy as np
import pytest

from mmbt.lab.world import generate, generate_world, parse_caption
from mmbt.lab.world.render import render_clip
from mmbt.lab.world.scenes import (
    BACKGROUNDS,
    COLORS,
    MOTIONS,
    SCENES,
    SHAPES,
    Scene,
    plan_clips,
    split_scenes,
)

from ..support.tools import run

pytestmark = pytest.mark.slow

DRAWN_BY = {'sources', 'libraries'}
REQUEST = {'seed': 3, 'train': 240, 'test': 24, 'stills': 100}


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    root = tmp_path_factory.mktemp('world')
    assert generate_world(root, **REQUEST)
    return root


@pytest.fixture(scope='module')
def hard_world(tmp_path_factory):
    root = tmp_path_factory.mktemp('hard_world')
    assert generate_world(root, held_out_words=True, **REQUEST)
    return root


def read_json(path):
    return json.loads(path.read_text())


def read_list(path):
    return [(name, int(label)) for name, label in
            (line.split(' ') for line in path.read_text().splitlines())]


def captions_of(path):
    return [parse_caption(caption) for (caption, ) in read_json(path).values()]


def decode(path):
    return decord.VideoReader(str(path))[:].asnumpy()


# --- grammar and splits ---------------------------------------------------------------------


def test_captions_follow_the_grammar_and_parse_back():
    scene = Scene('red', 'heart', 'dark')
    assert scene.caption('moves left') == 'a red heart moves left on a dark background'
    assert scene.caption() == 'a red heart on a dark background'
    for motion in (*MOTIONS, None):
        assert parse_caption(scene.caption(motion)) == (scene, motion)
    with pytest.raises(ValueError, match='a red heart flies'):
        parse_caption('a red heart flies on a dark background')


def test_neighbouring_labels_are_opposites():
    opposites = [('moves left', 'moves right'), ('moves up', 'moves down'), ('grows', 'shrinks'),
                 ('turns clockwise', 'turns counterclockwise'), ('appears', 'disappears'),
                 ('crosses a white ball to the left', 'crosses a white ball to the right')]
    assert list(zip(MOTIONS[::2], MOTIONS[1::2])) == opposites


def test_split_leaves_every_word_in_combination_with_every_motion_in_train():
    train, test = split_scenes(seed=0, num_test=20)
    for label in range(12):
        assert len(test[label]) == 20 and len(train[label]) == 6 * 3 * 3 - 20
        assert not set(train[label]) & set(test[label])
        assert test[label] == test[label ^ 1], 'a clip and its reversal are held out together'
        for words, of in ((COLORS, 'color'), (SHAPES, 'shape'), (BACKGROUNDS, 'background')):
            assert {getattr(scene, of) for scene in train[label]} == set(words)
    assert test[0] != test[2]
    plan = plan_clips(train, 12 * 34, np.random.default_rng(0))
    assert len(set(plan)) == 12 * 34, 'a combination came twice before all had come once'
    assert set(plan) == {(scene, label) for label in range(12) for scene in train[label]}
    with pytest.raises(ValueError, match='0 to 53'):
        split_scenes(seed=0, num_test=54)


# --- what is written ------------------------------------------------------------------------


def test_test_combinations_are_held_out_and_every_word_is_trained(world):
    train, test, stills = (captions_of(world / f'{name}.json') for name in
                           ('train', 'test', 'stills'))
    assert len(test) == 24 == len(set(test))
    assert not set(test) & set(train + stills)
    assert {scene.color for scene, _ in train} == set(COLORS)
    assert {scene.shape for scene, _ in train} == set(SHAPES)
    assert {scene.background for scene, _ in train} == set(BACKGROUNDS)
    assert Counter(motion for _, motion in train) == dict.fromkeys(MOTIONS, 20)
    assert Counter(motion for _, motion in test) == dict.fromkeys(MOTIONS, 2)
    assert Counter(motion for _, motion in stills)[None] == 30


def test_annotation_files_agree(world):
    assert (world / 'classes.txt').read_text().splitlines() == list(MOTIONS)
    for split in ('train', 'test'):
        captions = read_json(world / f'{split}.json')
        assert list(captions) == [f'{split}_{i:05d}.mp4' for i in range(REQUEST[split])]
        labels = read_list(world / f'{split}_list.txt')
        assert [name for name, _ in labels] == list(captions)
        for name, label in labels:
            assert parse_caption(captions[name][0])[1] == MOTIONS[label]
            assert (world / 'videos' / name).is_file()
    for name in read_json(world / 'stills.json'):
        assert (world / 'stills' / name).is_file()


def test_scenes_are_labelled_apart_from_motion(world):
    lines = (world / 'scenes.txt').read_text().splitlines()
    assert lines == [scene.caption() for scene in SCENES] and len(set(lines)) == 54
    captions = read_json(world / 'test.json')
    labels = read_list(world / 'test_scenes_list.txt')
    assert [name for name, _ in labels] == list(captions)
    for name, label in labels:
        assert (parse_caption(captions[name][0])[0], None) == parse_caption(lines[label])


def test_held_out_words_are_in_stills_and_test_but_in_no_training_video(world, hard_world):
    train = captions_of(hard_world / 'train.json')
    assert {scene.color for scene, _ in train} == {'red', 'green', 'blue', 'yellow'}
    assert {scene.shape for scene, _ in train} == {'cross', 'heart'}
    assert {scene.background for scene, _ in train} == set(BACKGROUNDS)
    assert Counter(motion for _, motion in train) == dict.fromkeys(MOTIONS, 20)
    assert not set(train) & set(captions_of(hard_world / 'test.json'))
    for name in ('test.json', 'stills.json'):
        scenes = [scene for scene, _ in captions_of(hard_world / name)]
        assert {'pink', 'cyan'} < {scene.color for scene in scenes}
        assert 'moon' in {scene.shape for scene in scenes}
    changed = {str(path.relative_to(world)) for path in world.rglob('*.*')
               if path.read_bytes() != (hard_world / path.relative_to(world)).read_bytes()}
    assert {name for name in changed if not name.startswith('videos/train_')} == {
        'train.json', 'world.json'}, 'motions, stills and test are those of the demo'


def test_the_demos_world_is_what_it_was(world):
    """The README's numbers were taken on it."""
    request = read_json(world / 'world.json')
    assert set(request) >= DRAWN_BY
    assert {key: value for key, value in request.items() if key not in DRAWN_BY} == {
        'name': 'moving_shapes', 'size': 64, 'frames': 17, 'fps': 8, 'held_out_words': False,
        **REQUEST}
    scenes, _ = split_scenes(3, 2)
    plan = plan_clips(scenes, 240, np.random.default_rng([3, 1, 1 << 31]))
    assert captions_of(world / 'train.json') == [(scene, MOTIONS[label]) for scene, label in plan]
    digest = hashlib.sha256()
    for name in ('train.json', 'test.json', 'stills.json', 'train_list.txt', 'test_list.txt'):
        digest.update((world / name).read_bytes())
    assert digest.hexdigest() == (
        '67d16651ef8da2f7d2615e89cea6fe4eea248fd77c49014455675fb123e00733')


def test_pairs_decode_to_the_same_frames_in_opposite_order(world):
    pairs = read_json(world / 'test_pairs.json')
    captions = read_json(world / 'test.json')
    assert len(pairs) == 12 and sorted(sum(pairs, [])) == list(captions)
    for a, b in pairs:
        (scene_a, motion_a), (scene_b, motion_b) = (parse_caption(captions[name][0])
                                                    for name in (a, b))
        assert scene_a == scene_b and MOTIONS.index(motion_a) == MOTIONS.index(motion_b) ^ 1
        frames_a, frames_b = (decode(world / 'videos' / name) for name in (a, b))
        np.testing.assert_array_equal(frames_b, frames_a[::-1])
        # Eight uniformly sampled frames are the same pictures too.
        np.testing.assert_array_equal(frames_b[1:16:2], frames_a[1:16:2][::-1])
        assert (frames_a != frames_b).any()


def test_video_decodes_to_what_was_drawn(world):
    (caption, ) = read_json(world / 'train.json')['train_00004.mp4']
    scene, motion = parse_caption(caption)
    drawn = render_clip(scene, MOTIONS.index(motion), 64, np.random.default_rng([3, 1, 4]))
    video = decord.VideoReader(str(world / 'videos' / 'train_00004.mp4'))
    assert len(video) == 17 and video.get_avg_fps() == 8
    # Coding blurs colour edges; an unrelated clip of the same scene is further off.
    assert np.abs(video[:].asnumpy().astype(float) - drawn).mean() < 2
    other = render_clip(scene, MOTIONS.index(motion), 64, np.random.default_rng(0))
    assert np.abs(video[:].asnumpy().astype(float) - other).mean() > 5


def test_generation_depends_on_the_seed_alone(tmp_path):
    small = {'train': 12, 'test': 12, 'stills': 12, 'size': 32}
    for name, seed, workers in (('one', 5, 1), ('two', 5, 2), ('other', 6, 2)):
        generate_world(tmp_path / name, seed=seed, workers=workers, **small)
    contents = {root.name: {str(path.relative_to(root)): path.read_bytes()
                            for path in root.rglob('*.*')} for root in tmp_path.iterdir()}
    assert len(contents['one']) == 12 + 12 + 12 + 10
    assert contents['one'] == contents['two']
    assert contents['one'].keys() == contents['other'].keys()
    assert contents['one']['train.json'] != contents['other']['train.json']


def test_a_finished_world_is_kept_and_an_outdated_one_replaced(tmp_path):
    small = {'train': 12, 'test': 0, 'size': 32}
    assert generate_world(tmp_path, stills=6, **small)
    keepsake = tmp_path / 'stills' / 'still_00000.png'
    keepsake.write_bytes(b'')
    assert not generate_world(tmp_path, stills=6, **small)
    assert keepsake.read_bytes() == b''
    calls = []
    assert generate_world(tmp_path, stills=2, progress=lambda *at: calls.append(at), **small)
    assert calls == [(done, 14) for done in range(1, 15)]
    assert [path.name for path in sorted((tmp_path / 'stills').iterdir())] == [
        'still_00000.png', 'still_00001.png']
    assert keepsake.stat().st_size > 0
    assert read_json(tmp_path / 'world.json')['stills'] == 2


@pytest.mark.parametrize('request_, message', [({'size': 48}, 'multiple of 32, got 48'),
                                               ({'test': 10}, 'multiple of 12, got 10'),
                                               ({'test': 648}, '0 to 53, got 54'),
                                               ({'test': 636, 'held_out_words': True},
                                                "no scene of the videos' words is left"),
                                               ({'stills': -1}, 'stills must not be negative')])
def test_impossible_requests_are_refused_before_anything_is_written(tmp_path, request_, message):
    with pytest.raises(ValueError, match=message):
        generate_world(tmp_path / 'world', **request_)
    assert not (tmp_path / 'world').exists()


def test_command_line_writes_a_world_once(tmp_path, monkeypatch, capsys):
    for expected in ('wrote ', 'already holds this world'):
        assert run(monkeypatch, 'prepare world', tmp_path, '--seed', '4', '--train', '12',
                   '--test', '12', '--stills', '3', '--size', '32') is None
        assert expected in capsys.readouterr().out
    request = read_json(tmp_path / 'world.json')
    assert {key: value for key, value in request.items() if key not in DRAWN_BY} == {
        'name': 'moving_shapes', 'seed': 4, 'train': 12, 'test': 12, 'stills': 3,
        'size': 32, 'frames': 17, 'fps': 8, 'held_out_words': False}


def test_a_world_drawn_by_other_code_or_libraries_is_drawn_anew(tmp_path, monkeypatch):
    small = dict(train=0, test=0, stills=1, size=32)
    assert generate_world(tmp_path, **small) and not generate_world(tmp_path, **small)
    monkeypatch.setattr(generate.cv2, '__version__', '0.0')
    assert generate_world(tmp_path, **small) and not generate_world(tmp_path, **small)
    monkeypatch.setattr(generate, 'digest', lambda paths, root: 'other')
    assert generate_world(tmp_path, **small)
    assert read_json(tmp_path / 'world.json')['sources'] == 'other'


def test_command_line_holds_words_out(tmp_path, monkeypatch):
    assert run(monkeypatch, 'prepare world', tmp_path, '--held-out-words', '--train', '24',
               '--test', '0', '--stills', '0', '--size', '32') is None
    assert read_json(tmp_path / 'world.json')['held_out_words'] is True
    assert {scene.shape for scene, _ in captions_of(tmp_path / 'train.json')} == {'cross', 'heart'}
    assert generate_world(tmp_path, train=24, test=0, stills=0, size=32), 'another world'
