"""``mmbt demo --small``: every step with the real tools and configs, and what comes of it."""
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import mmbt
from mmbt.evaluation.retrieval import similarity
from mmbt.files.safe_load import weights_only
from mmbt.lab.ablation.sources import made_by
from mmbt.lab.demo.scores import apart
from mmbt.lab.world.scenes import MOTIONS

from ...support.forked import run_script
from ...support.tools import MMBT

pytestmark = pytest.mark.slow

SEED = 3
"""Not the default."""
TRAIN, TEST, STILLS = 32, 48, 128
MODELS = {'bt_adapter': ('retrieval', 'recognition'),
          'frame_mean': ('retrieval_frame_mean', 'recognition_frame_mean')}


@pytest.fixture(scope='module')
def demo(tmp_path_factory):
    """A whole small demo: its folder, what it printed, the report, and the logs of the tests."""
    folder, elsewhere = tmp_path_factory.mktemp('demo') / 'new', tmp_path_factory.mktemp('cwd')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(elsewhere)
        code, lines = run_script(MMBT, 'demo', '--small', folder, '--seed', SEED)
    if code != '0':
        pytest.fail('\n'.join([*lines[-20:], code]), pytrace=False)
    assert not list(elsewhere.iterdir())
    out = folder / 'work_dirs/demo'
    return SimpleNamespace(
        folder=folder, out=out, output='\n'.join(lines),
        report=json.loads((out / 'report.json').read_text()),
        logs={test: read_log(out / test) for tests in MODELS.values() for test in tests})


def read_log(folder):
    """The metrics of the one test in a folder."""
    run, = (path for path in folder.iterdir() if path.is_dir())
    return json.loads((run / f'{run.name}.json').read_text())


def read_checkpoint(path):
    with weights_only():
        return torch.load(path, map_location='cpu')


def read_losses(folder):
    scalars, = folder.glob('*/vis_data/scalars.json')
    return [json.loads(line) for line in scalars.read_text().splitlines()]


def test_every_step_runs_once_and_writes_to_its_own_folder(demo):
    assert re.findall('^=== (.*): mmbt ', demo.output, re.M) == [
        '1 of 4, the world', '2 of 4, CLIP on still pictures', '3 of 4, the branch on videos',
        *(f'4 of 4, demo_{test}' for tests in MODELS.values() for test in tests)]
    assert sorted(path.name for path in demo.folder.rglob('*') if path.suffix == '.pth') == [
        'epoch_16.pth', 'epoch_20.pth']
    assert sorted(os.listdir(demo.folder)) == ['work_dirs']
    assert os.listdir(demo.folder / 'work_dirs') == ['demo']
    assert sorted(os.listdir(demo.out)) == [
        'branch', 'clip', 'demo.png', 'recognition', 'recognition_frame_mean', 'report.html',
        'report.json', 'retrieval', 'retrieval_frame_mean', 'world']


def test_the_world_and_both_trainings_have_the_seed_and_their_length(demo):
    world = json.loads((demo.out / 'world/world.json').read_text())
    assert [world[key] for key in ('seed', 'train', 'test', 'stills')] == [
        SEED, TRAIN, TEST, STILLS]
    for name, batch_size, samples, epochs in (('clip', 128, STILLS, 16), ('branch', 32, TRAIN, 20)):
        meta = read_checkpoint(demo.out / name / f'epoch_{epochs}.pth')['meta']
        steps = epochs * samples // batch_size
        assert (meta['seed'], meta['epoch'], meta['iter']) == (SEED, epochs, steps)
        losses = read_losses(demo.out / name)
        assert losses[-1]['step'] == steps and losses[-1]['loss'] < losses[0]['loss']


def test_clip_in_the_branch_checkpoint_is_the_trained_one_bit_for_bit(demo):
    clip = read_checkpoint(demo.out / 'clip/epoch_16.pth')['state_dict']
    both = read_checkpoint(demo.out / 'branch/epoch_20.pth')['state_dict']
    frozen = {key for key in both if key.startswith('backbone.trunk.')}
    assert frozen == clip.keys() and len(frozen) > 80
    for key in frozen:
        assert torch.equal(both[key], clip[key]), key
    gates = [key for key in both if re.search('gates?[.].*weight', key)]
    assert len(gates) == 3 and all(both[key].any() for key in gates)  # they start at zero


def test_each_model_is_tested_with_its_own_weights(demo):
    for tests, weights in zip(MODELS.values(), ('branch/epoch_20.pth', 'clip/epoch_16.pth')):
        for test in tests:
            log, = (demo.out / test).glob('*/*.log')
            assert f'Load checkpoint from work_dirs/demo/{weights}' in log.read_text()
    found = [np.load(demo.out / tests[0] / 'features.npz') for tests in MODELS.values()]
    annotations = json.loads((demo.out / 'world/test.json').read_text())
    for features in found:
        assert features['video_ids'].tolist() == list(annotations)
        assert [[caption] for caption in features['captions']] == list(annotations.values())
    # One frozen text tower; video features that the branch changes.
    assert np.array_equal(found[0]['text_features'], found[1]['text_features'])
    assert not np.allclose(found[0]['video_features'], found[1]['video_features'], atol=1e-3)


@pytest.mark.parametrize('model', MODELS)
def test_every_metric_is_a_number_in_its_range(demo, model):
    metrics = demo.report['metrics'][model]
    counts = {'retrieval/scored': TEST, 'retrieval/total': TEST, 'acc/scored': TEST,
              'acc/total': TEST, 'pairs/scored': TEST // 2, 'pairs/total': TEST // 2}
    scores = {f'pairs/{name}': (0, 100) for name in ('acc', 't2v_acc', 'v2t_acc')}
    scores.update({'acc/top1': (0, 1), 'acc/top5': (0, 1), 'time': (0, 600), 'data_time': (0, 600)})
    for way in ('retrieval/t2v_', 'retrieval/v2t_'):
        scores.update({f'{way}R{k}': (0, 100) for k in (1, 5, 10)})
        scores.update({f'{way}{rank}': (1, TEST) for rank in ('MdR', 'MnR')})
        assert metrics[f'{way}R1'] <= metrics[f'{way}R5'] <= metrics[f'{way}R10']
    assert metrics.keys() == counts.keys() | scores.keys()
    assert {key: metrics[key] for key in counts} == counts
    for key, (low, high) in scores.items():
        assert type(metrics[key]) is float and low <= metrics[key] <= high, key
    assert metrics['acc/top1'] <= metrics['acc/top5']
    hits = metrics['acc/top1'] * TEST
    assert hits == pytest.approx(round(hits))
    assert metrics['pairs/acc'] == pytest.approx(
        (metrics['pairs/t2v_acc'] + metrics['pairs/v2t_acc']) / 2)


@pytest.mark.parametrize('model', MODELS)
def test_the_metrics_are_those_of_the_features(demo, model):
    """Counted query by query, ties by expectation."""
    features = np.load(demo.out / MODELS[model][0] / 'features.npz')
    videos = features['video_ids'].tolist()
    scores = similarity(*(torch.from_numpy(features[name])
                          for name in ('text_features', 'video_features'))).numpy()
    metrics = demo.report['metrics'][model]
    for way, table in (('t2v', scores), ('v2t', scores.T)):
        first, ranks = [], []
        for query, row in enumerate(table):
            better, tied = (row > row[query]).sum(), (row == row[query]).sum()
            first.append(0 if better else 1 / tied)
            ranks.append(1 + better + (tied - 1) / 2)
        assert metrics[f'retrieval/{way}_R1'] == pytest.approx(100 * np.mean(first))
        assert metrics[f'retrieval/{way}_MnR'] == pytest.approx(np.mean(ranks))
        assert metrics[f'retrieval/{way}_MdR'] == pytest.approx(np.median(ranks))
        wins = []
        for pair in json.loads((demo.out / 'world/test_pairs.json').read_text()):
            for own, other in (pair, pair[::-1]):
                own, other = videos.index(own), videos.index(other)
                gap = table[own, own] - table[own, other]
                wins.append((1 + np.sign(gap)) / 2)
        assert len(wins) == TEST
        assert metrics[f'pairs/{way}_acc'] == pytest.approx(100 * np.mean(wins))


def test_the_report_has_the_numbers_of_the_logs(demo):
    metrics = {model: {**demo.logs[tests[0]], **demo.logs[tests[1]]}
               for model, tests in MODELS.items()}
    assert demo.report['metrics'] == metrics
    branch, baseline = metrics.values()
    assert demo.report['difference'] == {key: branch[key] - baseline[key] for key in branch}
    assert demo.report['seed'] == SEED
    assert demo.report['command'] == f'mmbt demo --small {demo.folder} --seed {SEED}'
    assert demo.report['world'] == json.loads((demo.out / 'world/world.json').read_text())
    versions = demo.report['versions']
    assert versions['mmbt'] == mmbt.__version__ and versions['mmbt sources'] == made_by()['sources']
    assert re.fullmatch('20[0-9]{2}-[0-9]{2}-[0-9]{2}', demo.report['machine']['date'])
    seconds = demo.report['seconds']
    assert seconds.keys() == {'world', 'clip', 'branch', 'test', 'total'}
    steps = [seconds[step] for step in ('world', 'clip', 'branch', 'test')]
    assert min(steps) > 0 and sum(steps) == pytest.approx(seconds['total'], abs=0.5)


def test_the_page_has_the_numbers_of_the_report(demo):
    html = (demo.out / 'report.html').read_text()
    rows = dict(re.findall(r'<tr><td>([^<]*).*?</td><td>(.*?)</td><td class="', html))
    for label, key, scale in (
            ('Text to video, R@1', 'retrieval/t2v_R1', 1),
            ('Text to video, R@10', 'retrieval/t2v_R10', 1),
            ('Text to video, mean rank ', 'retrieval/t2v_MnR', 1),
            ('Video to text, R@1', 'retrieval/v2t_R1', 1),
            ('Video to text, median rank ', 'retrieval/v2t_MdR', 1),
            ('Recognition, top-1', 'acc/top1', 100), ('Recognition, top-5', 'acc/top5', 100),
            ('Time-order pairs', 'pairs/acc', 1)):
        shown = apart([demo.report['metrics'][model][key] * scale for model in MODELS], 1)
        assert rows[label] == '</td><td>'.join(shown), label
    assert (f'Seed {SEED} generated {TRAIN} training clips, {TEST} test clips and {STILLS} still '
            'pictures') in html
    assert f'each of the {TEST} captions' in html and f'one of {len(MOTIONS)} motions' in html
    assert f'<code>mmbt demo --small {demo.folder} --seed {SEED + 1}</code>' in html
    assert (demo.out / 'demo.png').read_bytes().startswith(b'\x89PNG')


def test_the_headline_is_printed(demo):
    *_, heads, r1, back, pairs, top1, look = demo.output.splitlines()  # but for blank lines
    assert heads.split() == ['BT-Adapter', 'frame-mean', 'CLIP']
    for line, key, scale in ((r1, 'retrieval/t2v_R1', 1), (back, 'retrieval/v2t_R1', 1),
                             (pairs, 'pairs/acc', 1), (top1, 'acc/top1', 100)):
        assert line.split() == [
            key, *(f'{demo.report["metrics"][model][key] * scale:.1f}' for model in MODELS)]
    page, seconds = re.fullmatch(r'Look at (.*) \((.*) s altogether\)', look).groups()
    assert Path(page) == demo.out / 'report.html'
    assert float(seconds) == pytest.approx(demo.report['seconds']['total'], abs=0.6)
