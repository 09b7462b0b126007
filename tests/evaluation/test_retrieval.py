"""Retrieval numbers against hand-derived ones and against a slow reference."""
import pickle
from itertools import combinations

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from torch.nn.functional import normalize

from mmbt.evaluation import VideoTextRetrieval, retrieval, retrieval_metrics
from mmbt.evaluation.retrieval import similarity, top_candidates

NAMES = ('R1', 'R5', 'R10', 'MdR', 'MnR')


def slow_ranks(sims, right):
    """Return the expected rank and recalls of one query by trying every placing of its ties.

    Args:
        sims (list[float]): Similarity of each candidate.
        right (list[bool]): Whether the candidate is a right answer.
    """
    pairs = list(zip(sims, right))
    best = max(sim for sim, is_right in pairs if is_right)
    better = sum(sim > best for sim in sims)
    tied = [is_right for sim, is_right in pairs if sim == best]
    places = combinations(range(len(tied)), sum(tied))
    ranks = [better + 1 + min(right_places) for right_places in places]
    return np.mean(ranks), [np.mean([rank <= k for rank in ranks]) for k in (1, 5, 10)]


def slow_metrics(text, video, text_to_video):
    """Compute the metrics with loops over every pair of one text and one video."""
    sims = [[round(float(normalize(t.double(), dim=0) @ normalize(v.double(), dim=0)), 6)
             for v in video] for t in text]
    t2v = [slow_ranks(sims[i], [int(text_to_video[i]) == j for j in range(len(video))])
           for i in range(len(text))]
    v2t = [slow_ranks([sims[i][j] for i in range(len(text))],
                      [int(text_to_video[i]) == j for i in range(len(text))])
           for j in range(len(video))]
    metrics = {}
    for name, placed in (('t2v', t2v), ('v2t', v2t)):
        ranks, recalls = zip(*placed)
        values = [*(100 * np.mean(recalls, axis=0)), np.median(ranks), np.mean(ranks)]
        metrics.update({f'{name}_{key}': value for key, value in zip(NAMES, values)})
    return metrics


def test_hand_derived_ranks():
    """Three videos on the axes x, y, z; three texts, one a video.

    Similarities (rows texts a, b, c; columns videos), up to the texts' own length:
        a (3, 2, 1): best x, right x: rank 1
        b (3, 2, 1): best x, right y: rank 2
        c (3, 2, 1): best x, right z: rank 3
    so t2v R1 = 1/3, MdR = 2, MnR = 2. The texts are scaled alike, so each video ties all three
    texts: of 3 equal ones its own comes first with chance 1/3, at rank 2 on average.
    """
    text = torch.tensor([[3., 2., 1.]] * 3)
    metrics = retrieval_metrics(text, torch.eye(3), torch.arange(3))
    assert metrics['t2v_R1'] == pytest.approx(100 / 3)
    assert metrics['t2v_R5'] == metrics['t2v_R10'] == pytest.approx(100)
    assert (metrics['t2v_MdR'], metrics['t2v_MnR']) == (2, 2)
    assert metrics['v2t_R1'] == pytest.approx(100 / 3)
    assert (metrics['v2t_MdR'], metrics['v2t_MnR']) == (2, 2)


def test_hand_derived_median_and_recall_at_five():
    """Video j of 12 lies at angle 5j degrees, and its text at angle 0: its rank is j + 1.

    R1 = 1/12, R5 = 5/12, R10 = 10/12, median of 1..12 = 6.5, mean 6.5.
    """
    angles = torch.deg2rad(torch.arange(12.) * 5)
    video = torch.stack([angles.cos(), angles.sin()], dim=1)
    metrics = retrieval_metrics(torch.tensor([[2., 0.]] * 12), video, torch.arange(12))
    expected = (100 / 12, 500 / 12, 1000 / 12, 6.5, 6.5)
    assert [metrics[f't2v_{name}'] for name in NAMES] == pytest.approx(expected)


def test_several_captions():
    """Videos x, y; texts x, y of video x, and text (1, 2) of video y.

    Text to video: text x right (rank 1), text y wrong (2), text (1, 2) right (1): R1 = 2/3,
    MnR = 4/3. Video to text: x's best text is its first (rank 1). For y, x's second text is the
    nearest, then its own: rank 2. R1 = 1/2, MnR = 1.5.
    """
    text = torch.tensor([[1., 0.], [0., 1.], [1., 2.]])
    metrics = retrieval_metrics(text, torch.eye(2), torch.tensor([0, 0, 1]))
    assert metrics['t2v_R1'] == pytest.approx(200 / 3)
    assert metrics['t2v_MnR'] == pytest.approx(4 / 3)
    assert (metrics['v2t_R1'], metrics['v2t_MnR']) == (50, 1.5)


@pytest.mark.parametrize('captions', [1, 3])
def test_constant_features_score_chance(captions):
    """All 8 videos alike: R@k is k/8, and the mean rank of one right among 8 is 4.5."""
    feature = torch.randn(5, generator=torch.Generator().manual_seed(0))
    text_to_video = torch.arange(8).repeat_interleave(captions)
    metrics = retrieval_metrics(feature.expand(8 * captions, 5), feature.expand(8, 5),
                                text_to_video)
    assert metrics['t2v_R1'] == pytest.approx(12.5)
    assert metrics['t2v_R5'] == pytest.approx(62.5)
    assert (metrics['t2v_R10'], metrics['t2v_MdR'], metrics['t2v_MnR']) == (100, 4.5, 4.5)
    assert metrics['v2t_R1'] == pytest.approx(12.5)


@pytest.mark.parametrize('seed', range(4))
def test_equals_the_slow_reference(seed):
    """Features on a small integer grid, so that many similarities tie, some of them at zero."""
    generator = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 4, (14, ), generator=generator)
    text_to_video = torch.repeat_interleave(torch.arange(14), counts)
    text_to_video = text_to_video[torch.randperm(len(text_to_video), generator=generator)]
    text = torch.randint(-2, 3, (len(text_to_video), 4), generator=generator).float()
    video = torch.randint(-2, 3, (14, 4), generator=generator).float()
    expected = slow_metrics(text, video, text_to_video)
    for block_size in (1, 3, 16, 1024):
        metrics = retrieval_metrics(text, video, text_to_video, block_size)
        assert metrics == pytest.approx(expected, rel=1e-12)


def test_block_size_order_and_scale_do_not_matter():
    generator = torch.Generator().manual_seed(0)
    video = torch.randn(57, 24, generator=generator)
    video[20:30] = video[20]
    text = video + torch.randn(57, 24, generator=generator)
    text[40:44] = text[40]
    whole = retrieval_metrics(text, video, torch.arange(57))
    for block_size in (1, 7, 56, 57):
        assert retrieval_metrics(text, video, torch.arange(57), block_size) == whole
    order = torch.randperm(57, generator=generator)
    scaled = retrieval_metrics(text[order] * 3, video[order] * 0.5, torch.arange(57))
    assert scaled == pytest.approx(whole)


def test_products_are_exact():
    """As Python's whole numbers give them, which do not round, whatever the shape of the block."""
    generator = torch.Generator().manual_seed(0)
    queries = retrieval._steps(torch.randn(9, 768, generator=generator))
    candidates = retrieval._steps(torch.randn(11, 768, generator=generator))
    exact = [[sum(int(a) * int(b) for a, b in zip(query, candidate))
              for candidate in candidates.tolist()] for query in queries.tolist()]
    assert (queries @ candidates.T).long().tolist() == exact
    assert (queries[4:5] @ candidates[:1].T).item() == exact[4][0]
    # The largest sum of all: of a vector with itself.
    one = retrieval._steps(torch.ones(1, 5))
    assert (one @ one.T).item() == sum(int(a) ** 2 for a in one[0].tolist()) < 2**53


def test_values_on_the_edge_of_the_rounding_are_the_same_in_every_block():
    """Axes against signs of 128**2 dimensions: all similarities are 1/128 = 0.0078125."""
    signs = torch.ones(5, 128**2)
    axes = torch.eye(7, 128**2) * torch.arange(1., 8.)[:, None]
    sims = similarity(axes, signs)
    assert (sims == sims[0, 0]).all() and sims[0, 0] == similarity(signs[:1], axes[3:4]).item()
    metrics = [retrieval_metrics(axes[[*range(5), 5]], signs, torch.tensor([*range(5), 0]), size)
               for size in (1, 2, 1024)]
    assert metrics[0]['t2v_MnR'] == 3 and metrics[0] == metrics[1] == metrics[2]


@pytest.mark.parametrize('size', [1, 5, 16])
def test_no_more_than_a_block_is_compared_at_once(size, monkeypatch):
    sizes = []
    micro = retrieval._micro
    monkeypatch.setattr(retrieval, '_micro',
                        lambda products: sizes.append(products.numel()) or micro(products))
    features = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    retrieval_metrics(features, features, torch.arange(40), size)
    top_candidates(features, features, 4, size)
    assert max(sizes) <= size**2


def test_results_are_pickled_without_their_batch():
    """Between processes go the numbers of each video and no others."""
    videos, texts = torch.randn(500, 64), torch.randn(1000, 64)
    metric = VideoTextRetrieval()
    metric.process(None, [dict(video_id=str(i), captions=['a', 'b'], video_feature=videos[i],
                               text_features=texts[2 * i:2 * i + 2]) for i in range(500)])
    numbers = 4 * (videos.numel() + texts.numel())
    assert len(pickle.dumps(metric.results, protocol=2)) < 2 * numbers
    videos.zero_()
    assert metric.results[3]['video_feature'].any()


def test_equal_rows_tie_in_every_block():
    feature = torch.randn(1, 1024, generator=torch.Generator().manual_seed(1))
    sims = similarity(torch.randn(3, 1024), feature.expand(1003, 1024))
    assert (sims == sims[:, :1]).all()


def test_top_candidates():
    text = torch.tensor([[1., 0.], [0., 1.]])
    video = torch.tensor([[0., 1.], [1., 0.], [1., 0.], [1., 1.]])
    assert top_candidates(text, video, 3, block_size=1).tolist() == [[1, 2, 3], [0, 3, 1]]
    assert top_candidates(text, video, 10).shape == (2, 4)


def test_top_candidates_are_those_of_a_stable_sort():
    generator = torch.Generator().manual_seed(0)
    text = torch.randint(-2, 3, (30, 3), generator=generator).float()
    video = torch.randint(-2, 3, (45, 3), generator=generator).float()
    order = torch.sort(similarity(text, video), dim=1, descending=True, stable=True)[1]
    for block_size in (1, 4, 7, 1024):
        assert torch.equal(top_candidates(text, video, 10, block_size), order[:, :10])


@pytest.mark.parametrize(('text', 'video', 'owner', 'message'), [
    (torch.ones(2, 3), torch.ones(2, 4), [0, 1], 'needs features'),
    (torch.ones(2, 3), torch.ones(2, 3), [0], 'text_to_video must be'),
    (torch.ones(2, 3), torch.ones(2, 3), [0, 2], r'must lie in 0\.\.1'),
    (torch.ones(2, 3), torch.ones(2, 3), [0, 0], 'video 1 has none'),
    (torch.full((2, 3), torch.nan), torch.ones(2, 3), [0, 1], 'feature of text 0 is not finite'),
    (torch.ones(2, 3), torch.tensor([[1.], [torch.inf]]).expand(2, 3), [0, 1], 'of video 1 is not'),
    (torch.ones(0, 3), torch.ones(0, 3), [], 'there are no videos')])
def test_bad_features(text, video, owner, message):
    with pytest.raises(ValueError, match=message):
        retrieval_metrics(text, video, torch.tensor(owner, dtype=torch.int64))


def sample(video_id, captions, video_feature, text_features):
    """Return what the model hands to the evaluator."""
    result = ActionDataSample(metainfo=dict(video_id=video_id, captions=captions))
    result.video_feature = video_feature
    result.text_features = text_features
    return result


def test_metric_through_the_evaluator(tmp_path):
    """Two batches in half precision; the numbers are those of ``test_several_captions``."""
    dump = tmp_path / 'out' / 'features.npz'
    evaluator = Evaluator(dict(type='mmaction.VideoTextRetrieval', dump=str(dump)))
    eye = torch.eye(2).bfloat16()
    evaluator.process([sample('x.mp4', ['x', 'y'], eye[0], eye)])
    evaluator.process([sample('y.mp4', ['both'], eye[1], torch.tensor([[1., 2.]]).bfloat16())])
    metrics = evaluator.evaluate(2)
    numbers = {f'retrieval/{way}_{name}' for way in ('t2v', 'v2t') for name in NAMES}
    assert set(metrics) == numbers | {'retrieval/scored', 'retrieval/total'}
    assert metrics['retrieval/scored'] == metrics['retrieval/total'] == 2
    assert metrics['retrieval/t2v_R1'] == pytest.approx(200 / 3)
    assert metrics['retrieval/v2t_MnR'] == 1.5
    saved = np.load(dump)
    assert saved['video_ids'].tolist() == ['x.mp4', 'y.mp4']
    assert saved['captions'].tolist() == ['x', 'y', 'both']
    assert saved['text_to_video'].tolist() == [0, 0, 1]
    assert saved['top_videos'].tolist() == [[0, 1], [1, 0], [1, 0]]
    assert saved['video_features'].tolist() == [[1, 0], [0, 1]]
    assert saved['text_features'].tolist() == [[1, 0], [0, 1], [1, 2]]


def test_metric_arguments_and_empty_set():
    with pytest.raises(ValueError, match='dump must end in .npz'):
        VideoTextRetrieval(dump='features.pkl')
    with pytest.raises(ValueError, match='block_size must be at least 1, got 0'):
        VideoTextRetrieval(block_size=0)
    with pytest.raises(ValueError, match='no video was evaluated'):
        VideoTextRetrieval().compute_metrics([])
