"""Videos that could not be read: left out of the numbers, counted and named, by every metric."""
import json
import logging
import multiprocessing
import os

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.evaluator import Evaluator
from mmengine.hooks import LoggerHook
from mmengine.logging import MessageHub, MMLogger
from torch import distributed as dist

import mmbt  # noqa: F401  registers the metrics

NUM = 12
BROKEN = (2, 3, 9)
RECALL = dict(type='mmaction.VideoTextRetrieval')
ACCURACY = dict(type='mmaction.ScoredAccMetric', metric_list=('top_k_accuracy', ))


def samples(broken=BROKEN, keep=range(NUM)):
    """Videos with two captions and scores of eight classes; those of ``broken`` without label."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for number in range(NUM):
        sample = ActionDataSample(metainfo=dict(video_id=f'v{number}', captions=['a', 'b']))
        sample.video_feature = torch.randn(4, generator=generator)
        sample.text_features = torch.randn(2, 4, generator=generator)
        sample.set_pred_score(torch.rand(8, generator=generator))
        if number in broken:
            sample.set_metainfo(dict(broken=f'v{number} is missing'))
        else:
            sample.set_gt_label(number % 8)
        if number in keep:
            found.append(sample)
    return found


def evaluate(metric, found, size=None):
    """Evaluate in batches of three."""
    evaluator = Evaluator(metric)
    for start in range(0, len(found), 3):
        evaluator.process(found[start:start + 3])
    metrics = evaluator.evaluate(size or len(found))
    assert as_logged(metrics) == pytest.approx(metrics)
    return metrics


def as_logged(metrics):
    """What of metrics comes into the JSON file that the demo and the ablations read."""
    hub = MessageHub('as_logged')
    for name, value in metrics.items():
        hub.update_scalar(name, value)
    logged = {name: hub.get_scalar(name).current() for name in metrics}
    return json.loads(json.dumps(LoggerHook._process_tags(logged)))


def numbers(metrics):
    return {key: value for key, value in metrics.items() if not key.endswith(('scored', 'total'))}


@pytest.fixture
def log(tmp_path):
    """The file of a logger that is the current one."""
    logger = MMLogger.get_instance(f'log_{tmp_path.name}', log_file=str(tmp_path / 'run.log'))
    yield tmp_path / 'run.log'
    for handler in logger.handlers:
        handler.close()
    MMLogger._instance_dict.pop(logger.instance_name)


@pytest.mark.parametrize(('metric', 'name'), [(RECALL, 'retrieval'), (ACCURACY, 'acc')])
def test_numbers_are_those_of_a_set_without_the_broken_ones(metric, name, log):
    metrics = evaluate(metric, samples())
    readable = [number for number in range(NUM) if number not in BROKEN]
    without = evaluate(metric, samples(keep=readable))
    assert numbers(metrics) == numbers(without) != {}
    assert (metrics[f'{name}/scored'], metrics[f'{name}/total']) == (9, 12)
    assert (without[f'{name}/scored'], without[f'{name}/total']) == (9, 9)
    listing = log.with_name(f'unscored_{name}.txt')
    lines = log.read_text().splitlines()
    assert len(lines) == 1 and lines[0].endswith(
        f'{name}: 12 test videos: 9 scored, 3 not (all in {listing}): v2 is missing; '
        'v3 is missing; v9 is missing')
    assert listing.read_text().splitlines() == [f'v{number} is missing' for number in BROKEN]


def test_accuracies_are_those_of_mmaction2():
    ours = evaluate(ACCURACY, samples(broken=()))
    theirs = evaluate(dict(ACCURACY, type='mmaction.AccMetric'), samples(broken=()))
    assert numbers(ours) == theirs and set(theirs) == {'acc/top1', 'acc/top5'}


def test_mmaction2s_metric_stops_at_a_video_that_was_not_read():
    with pytest.raises(KeyError, match='gt_label'):
        evaluate(dict(ACCURACY, type='mmaction.AccMetric'), samples())


def test_pairs_that_could_not_be_read_are_left_out(tmp_path, log):
    path = tmp_path / 'pairs.json'
    metric = dict(type='mmaction.PairOrderMetric', pairs_file=str(path))
    path.write_text(json.dumps([['v0', 'v1'], ['v2', 'v4'], ['v5', 'v9'], ['v6', 'v7']]))
    metrics = evaluate(metric, samples())
    path.write_text(json.dumps([['v0', 'v1'], ['v6', 'v7']]))
    assert numbers(metrics) == numbers(evaluate(metric, samples()))
    assert (metrics['pairs/scored'], metrics['pairs/total']) == (2, 4)
    path.write_text(json.dumps([['v2', 'v4']]))
    with pytest.raises(ValueError, match='pairs.json: no pair has two videos that could be read'):
        evaluate(metric, samples())


@pytest.mark.parametrize('metric', [RECALL, ACCURACY])
def test_nothing_to_score(metric):
    with pytest.raises(ValueError, match='none of 12 test videos could be read, the first: v0 is'):
        evaluate(metric, samples(broken=range(NUM)))


def test_a_long_list_is_cut_in_the_log_alone(log, monkeypatch):
    monkeypatch.setattr('mmbt.evaluation.scored.NAMED_IN_LOG', 2)
    evaluate(RECALL, samples())
    assert log.read_text().endswith('v2 is missing; v3 is missing; and 1 more\n')
    assert len(log.with_name('unscored_retrieval.txt').read_text().splitlines()) == 3


def test_a_log_without_a_file(caplog):
    logger = MMLogger.get_instance('log_without_a_file')
    logger.addHandler(caplog.handler)
    with caplog.at_level(logging.WARNING):
        evaluate(RECALL, samples())
    MMLogger._instance_dict.pop('log_without_a_file')
    assert '9 scored, 3 not: v2 is missing' in caplog.messages[-1]


def work(rank, folder, outcome):
    """One of two processes, which have every second video; the last batch is filled up."""
    torch.set_num_threads(1)
    os.chdir(folder)
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    try:
        found = samples(keep=range(NUM - 1))
        part = [*found, found[0]][rank::2]
        result = [evaluate(metric, part, NUM - 1) for metric in (RECALL, ACCURACY)]
        outcome.put((rank, result))
    finally:
        dist.destroy_process_group()


def test_two_processes(tmp_path):
    context = multiprocessing.get_context('fork')
    outcome = context.Queue()
    workers = [context.Process(target=work, args=(rank, tmp_path, outcome)) for rank in range(2)]
    for worker in workers:
        worker.start()
    results = dict(outcome.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    alone = [evaluate(metric, samples(keep=range(NUM - 1))) for metric in (RECALL, ACCURACY)]
    assert results[0] == results[1] == alone
    assert (alone[0]['retrieval/scored'], alone[1]['acc/total']) == (8, 11)
