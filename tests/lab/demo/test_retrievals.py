"""What the report says of retrieved clips: hand-derived numbers and choices."""
import numpy as np
import pytest

from mmbt.lab.demo.retrievals import (
    Retrievals,
    choose_pairs,
    choose_varied,
    load_retrievals,
    motion_accuracy,
    outcomes,
    pair_scores,
)
from mmbt.lab.world.scenes import BACKGROUNDS, COLORS, MOTIONS, SHAPES, Scene

RED, BLUE = list(COLORS)[0], list(COLORS)[2]
ONE = Scene(RED, SHAPES[0], BACKGROUNDS[0])
OTHER_SHAPE = Scene(RED, SHAPES[1], BACKGROUNDS[0])
ALL_OTHER = Scene(BLUE, SHAPES[1], BACKGROUNDS[1])


def retrieved(scores, motions, scenes=None, own=None):
    """Test of as many clips as there are ``motions``, with given similarities."""
    scores = np.array(scores, dtype=float)
    own = np.arange(len(motions)) if own is None else np.array(own)
    captions = [(scenes[query] if scenes else ONE).caption(MOTIONS[label])
                for query, label in enumerate(motions)]
    top = np.argsort(-scores, axis=1, kind='stable')
    return Retrievals([f'{place}.mp4' for place in range(len(motions))], captions, own, top, scores)


def test_motion_accuracy_counts_motions_not_clips_and_shares_ties():
    # Motion 0: query 0 finds the other clip of motion 0, query 1 finds a clip of motion 1.
    # Motion 1: query 2 ties clips of motions 0, 0 and 1. Motion 4: query 3 finds its own clip.
    found = retrieved([[.1, .9, .2, .0], [.1, .2, .9, .0], [.8, .8, .8, .1], [.0, .0, .0, .5]],
                      motions=[0, 0, 1, 4])
    expected = np.full(len(MOTIONS), np.nan)
    expected[[0, 1, 4]] = 50, 100 / 3, 100
    np.testing.assert_allclose(motion_accuracy(found), expected)


def test_the_video_of_a_query_need_not_have_its_index():
    found = retrieved([[.1, .9, 0], [.9, 0, 0], [0, 0, .9]], motions=[0, 1, 4], own=[1, 2, 0])
    # Clips 0, 1, 2 show motions 4, 0, 1. Query 0 is right, 1 finds motion 4, 2 finds motion 1.
    assert found.motions_of_videos().tolist() == [4, 0, 1]
    assert found.is_right().tolist() == [True, False, False]
    assert [motion_accuracy(found)[label] for label in (0, 1, 4)] == [100, 0, 0]
    np.testing.assert_array_equal(pair_scores(found, (1, 2)), [[.9, 0], [0, 0]])


def test_verdicts():
    found = retrieved([[.9, .2, .9], [.9, .3, .9], [0, 0, .1]], motions=[0, 1, 2])
    assert [found.verdict(0, video) for video in range(3)] == ['tied', 'wrong', 'tied']
    assert [found.verdict(1, video) for video in range(3)] == ['wrong', 'right', 'wrong']
    assert found.is_right().tolist() == [False, False, True]


def test_outcomes_split_the_queries():
    right, wrong = [1, 0], [0, 1]
    branch = retrieved([right, right[::-1]], motions=[0, 1])
    baseline = retrieved([right, wrong[::-1]], motions=[0, 1])
    assert outcomes(branch, baseline) == {'both': [0], 'branch': [1], 'baseline': [],
                                          'neither': []}
    assert outcomes(baseline, branch) == {'both': [0], 'branch': [], 'baseline': [1],
                                          'neither': []}
    tie = retrieved([[1, 1], [0, 0]], motions=[0, 1])
    assert outcomes(tie, tie)['neither'] == [0, 1]


def test_varied_choice_prefers_new_motions_then_new_words():
    scenes = [(ONE, 0), (ONE, 1), (ALL_OTHER, 1), (ONE, 2), (OTHER_SHAPE, 3), (ALL_OTHER, 2)]
    # 0 first; then motions 2 and 3 are new, and of their queries 5 shares no word with 0; all
    # others have a motion pair that was chosen once, and 3 words in common with 0 and 5 together.
    assert choose_varied(list(range(6)), scenes, 2) == [0, 5]
    assert choose_varied(list(range(6)), scenes, 3) == [0, 5, 1]
    assert choose_varied([4, 3], scenes, 5) == [3, 4]
    assert choose_varied([], scenes, 2) == []


def test_pairs_show_a_success_and_a_failure():
    apart, confused = np.eye(2), np.ones((2, 2))

    def found(*blocks):
        scores = np.zeros((8, 8))
        for place, block in enumerate(blocks):
            scores[2 * place:2 * place + 2, 2 * place:2 * place + 2] = block
        return retrieved(scores, motions=[0, 1, 0, 1, 2, 3, 4, 5])

    pairs = [(0, 1), (2, 3), (4, 5), (6, 7)]
    assert choose_pairs(found(confused, apart, confused, confused), pairs) == [(2, 3), (4, 5)]
    assert choose_pairs(found(apart, confused, apart, apart), pairs) == [(0, 1), (2, 3)]
    assert choose_pairs(found(apart, apart, apart, apart), pairs) == [(0, 1), (4, 5)]
    assert choose_pairs(found(confused, confused, confused, confused), pairs) == [(0, 1), (4, 5)]
    assert choose_pairs(found(apart, apart, apart, apart), pairs[:1]) == [(0, 1)]


def test_load_scales_to_cosines(inputs, annotations):
    runs, _ = inputs
    found = load_retrievals(runs['bt_adapter']['features'])
    assert found.videos == list(annotations)
    assert found.captions == [captions[0] for captions in annotations.values()]
    assert found.scores[0, 0] == 1
    # Row 3 is (.., 1, .5, ..), of length sqrt(1.25).
    np.testing.assert_allclose(found.scores[3, 2:4], [1 / 1.25 ** .5, .5 / 1.25 ** .5], atol=1e-6)
    assert found.top[3, :2].tolist() == [2, 3]


def test_load_names_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match='gone.npz is missing'):
        load_retrievals(str(tmp_path / 'gone.npz'))
    path = str(tmp_path / 'short.npz')
    np.savez(path, video_ids=np.array(['a']), captions=np.array(['a']))
    with pytest.raises(ValueError, match='has no video_features, text_features, text_to_video'):
        load_retrievals(path)
    arrays = dict(video_ids=np.array(['a']), captions=np.array(['a', 'b']),
                  video_features=np.ones((1, 2)), text_features=np.ones((2, 2)),
                  text_to_video=np.zeros(2, int), top_videos=np.zeros((2, 1), int))
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match='one caption for each video, got 2 captions of 1 videos'):
        load_retrievals(path)
