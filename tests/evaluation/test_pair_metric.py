"""Telling the videos of a pair apart: hand-derived accuracies."""
import json

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator

from mmbt.evaluation import PairOrderMetric

X, Y, BOTH = [1., 0.], [0., 1.], [1., 1.]


def evaluate(tmp_path, videos, pairs):
    """Evaluate ``videos`` (id -> (video feature, text features)) on ``pairs``."""
    path = tmp_path / 'pairs.json'
    path.write_text(json.dumps(pairs))
    evaluator = Evaluator(dict(type='mmaction.PairOrderMetric', pairs_file=str(path)))
    for video_id, (video, texts) in videos.items():
        sample = ActionDataSample(metainfo=dict(video_id=video_id, captions=['t'] * len(texts)))
        sample.video_feature, sample.text_features = torch.tensor(video), torch.tensor(texts)
        evaluator.process([sample])
    return evaluator.evaluate(len(videos))


@pytest.mark.parametrize(('a', 'b', 't2v', 'v2t'), [
    ((X, [X]), (Y, [Y]), 100, 100),
    ((X, [Y]), (Y, [X]), 0, 0),
    ((X, [X]), (X, [X]), 50, 50),
    # Both texts lie at x: text a is right, text b wrong; each video ties its two texts.
    ((X, [X]), (Y, [X]), 50, 50),
    # Both videos lie at x: each text ties the videos; video a is right, video b wrong.
    ((X, [X]), (X, [Y]), 50, 50),
    # Text a ties both videos (1/2), text b is right. Video a has similarity 0.7 to its own text
    # and 0 to the other: right; video b 1 to its own and 0.7 to the other: right.
    ((X, [BOTH]), (Y, [Y]), 75, 100),
    # Texts x, y of a and y of b: right, wrong, right = 2/3. Video a: x beats y, y ties y = 3/4;
    # video b: own y beats x, ties y = 3/4.
    ((X, [X, Y]), (Y, [Y]), 200 / 3, 75)])
def test_one_pair(tmp_path, a, b, t2v, v2t):
    metrics = evaluate(tmp_path, {'a': a, 'b': b}, [['a', 'b']])
    assert metrics == pytest.approx({'pairs/t2v_acc': t2v, 'pairs/v2t_acc': v2t,
                                     'pairs/acc': (t2v + v2t) / 2,
                                     'pairs/scored': 1, 'pairs/total': 1})
    assert evaluate(tmp_path, {'a': a, 'b': b}, [['b', 'a']]) == pytest.approx(metrics)


def test_pairs_weigh_the_same_and_others_are_ignored(tmp_path):
    videos = {'a': (X, [X]), 'b': (Y, [Y]), 'c': (X, [Y]), 'd': (Y, [X]), 'e': (X, [Y])}
    metrics = evaluate(tmp_path, videos, [['a', 'b'], ['b', 'a'], ['c', 'd']])
    assert metrics['pairs/acc'] == pytest.approx(200 / 3)


@pytest.mark.parametrize(('pairs', 'message'), [
    ([], 'holds an empty list'), ({'a': 'b'}, 'must hold a JSON list'),
    ([['a', 'b'], ['a']], 'entry 1 must be two different video ids'),
    ([['a', 'a']], 'entry 0 must be two'), ([[1, 2]], 'entry 0 must be two'),
    ([['a', 'z']], "names video 'z', which was not evaluated")])
def test_bad_pairs(tmp_path, pairs, message):
    with pytest.raises(ValueError, match=message):
        evaluate(tmp_path, {'a': (X, [X])}, pairs)


def test_missing_pairs_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='pairs.json is missing'):
        PairOrderMetric(str(tmp_path / 'pairs.json'))
