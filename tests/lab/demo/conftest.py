"""A small world, and tests of two models that were never run on it."""
import json

import numpy as np
import pytest
import torch

from mmbt.evaluation.retrieval import top_candidates
from mmbt.lab.demo.report import write_report
from mmbt.lab.world import generate_world

METRICS = {
    'bt_adapter': {'retrieval/t2v_R1': 91.5, 'retrieval/v2t_R1': 90.25, 'retrieval/t2v_MdR': 1.0,
                   'acc/top1': 0.75, 'pairs/acc': 87.5},
    'frame_mean': {'retrieval/t2v_R1': 47.5, 'retrieval/v2t_R1': 50.0, 'retrieval/t2v_MdR': 2.5,
                   'acc/top1': 0.5, 'pairs/acc': 50.0, 'retrieval/t2v_R5': 99.0},
}
WRONG_WITH_BRANCH = {3: 2, 8: 20}
"""Queries whose own clip the branch puts second, and the clip it puts first."""


def branch_scores():
    """Every query finds its own clip, apart from ``WRONG_WITH_BRANCH``."""
    scores = np.eye(24)
    for query, video in WRONG_WITH_BRANCH.items():
        scores[query, [query, video]] = 0.5, 1
    return scores


def baseline_scores():
    """Both queries of a pair find the first clip of the pair, then the second; the last tie."""
    scores = np.kron(np.eye(12), [[1, 0.5], [1, 0.5]])
    scores[23, 22:] = 1
    return scores


def write_features(path, annotations, scores):
    """Write features whose similarities are proportional to the rows of ``scores``."""
    text, video = torch.from_numpy(scores), torch.eye(len(annotations), dtype=torch.float64)
    np.savez_compressed(
        path, video_ids=np.array(list(annotations)),
        captions=np.array([captions[0] for captions in annotations.values()]),
        video_features=video.numpy(), text_features=text.numpy(),
        text_to_video=np.arange(len(annotations)),
        top_videos=top_candidates(text, video, 10).numpy())
    return str(path)


def write_scalars(path, names):
    """Write the log of two training steps and an evaluation."""
    lines = [{'lr': 0.1, 'loss': 4.0 - step, 'step': step, **{name: step / 2 for name in names}}
             for step in (1, 2)]
    lines.append({'acc/top1': 0.5, 'step': 2})
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return str(path)


@pytest.fixture(scope='session')
def world(tmp_path_factory):
    """A world of 24 test clips."""
    root = tmp_path_factory.mktemp('report') / 'world'
    generate_world(root, seed=3, train=12, test=24, stills=6, workers=1)
    return root


@pytest.fixture(scope='session')
def annotations(world):
    """The test's file names and captions."""
    return json.loads((world / 'test.json').read_text())


@pytest.fixture
def metrics():
    """What both models scored."""
    return METRICS


def write_inputs(folder, world, annotations):
    """The arguments ``runs`` and ``meta`` of ``write_report``, whose files are in a folder."""
    scores = {'bt_adapter': branch_scores(), 'frame_mean': baseline_scores()}
    runs = {model: dict(metrics=dict(METRICS[model]),
                        features=write_features(folder / f'{model}.npz', annotations, rows))
            for model, rows in scores.items()}
    scalars = {'clip': write_scalars(folder / 'clip.json', ['loss_itc']),
               'branch': write_scalars(folder / 'branch.json', ['loss_vtc', 'loss_mbta'])}
    meta = dict(seed=3, world=str(world), seconds={'world': 1.25, 'total': 1234.56},
                versions={'torch': '2.0', 'mmbt': '0.1'}, machine={'cores': 2}, scalars=scalars)
    return runs, meta


@pytest.fixture
def inputs(world, annotations, tmp_path):
    """The arguments ``runs`` and ``meta`` of ``write_report``, to be changed."""
    return write_inputs(tmp_path, world, annotations)


@pytest.fixture(scope='session')
def report(world, annotations, tmp_path_factory):
    """The folder of a written report, which no test changes."""
    folder = tmp_path_factory.mktemp('written')
    write_report(str(folder / 'out'), *write_inputs(folder, world, annotations))
    return folder / 'out'
