"""Rows trained and tested on a world of a few clips, in peace and killed."""
import functools
import json
import math
import sys
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

import mmbt.lab.ablation.configs
import mmbt.lab.world
from mmbt.files.lock import Lock
from mmbt.lab.ablation import row as module
from mmbt.lab.ablation.configs import fingerprint
from mmbt.lab.ablation.row import alone, main, prepare_shapes, run_row
from mmbt.lab.ablation.schedule import Run, command, run_all
from mmbt.lab.ablation.sources import made_by
from mmbt.lab.ablation.summary import read_result
from mmbt.lab.ablation.tables import Row
from mmbt.lab.ablation.worlds import SHAPES

pytestmark = pytest.mark.slow

EPOCHS = 3  # of 4


class Watch(Hook):
    """Keep a sum of each batch's frames and tokens, and be killed before an epoch."""

    priority = 'VERY_LOW'

    def __init__(self, batches, killed_before):
        self.batches, self.killed_before = batches, killed_before

    def before_train_epoch(self, runner):
        if runner.epoch == self.killed_before:
            raise KeyboardInterrupt

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        inputs = data_batch['inputs']
        self.batches.append(tuple(int(torch.stack(list(inputs[key])).long().sum())
                                  for key in ('imgs', 'tokens')))


def unformatted(text, **kwargs):
    """In place of yapf, which would take most of the time to write configs nicely."""
    return text, True


def in_batches_of(size):
    """``load_prepared``, for as few clips as there are here."""
    load = module.load_prepared

    def load_prepared(*args):
        config = load(*args)
        config.train_dataloader.batch_size = size
        return config
    return load_prepared


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    """A seed's folder, prepared: 24 clips to train on, 12 to test, and a CLIP that knows little."""
    folder = tmp_path_factory.mktemp('ablation') / 'seed0'
    tiny = functools.partial(module.generate_world, train=24, test=12, stills=6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.config.config.FormatCode', unformatted)
        patch.setattr(module, 'generate_world', tiny)
        patch.setattr(module, 'load_prepared', in_batches_of(6))
        prepare_shapes(folder, 0)
        before = (folder / 'clip/epoch_16.pth').stat()
        prepare_shapes(folder, 0)  # nothing is left to do
    assert (folder / 'clip/epoch_16.pth').stat() == before
    assert json.loads((folder / 'world/world.json').read_text())['held_out_words']
    return folder


@pytest.fixture
def watched(data, tmp_path, monkeypatch):
    """``watched(row, ...)`` runs a row; returns what it was fed, and its result if it has one."""
    build, load = module.build_runner, module.load_row

    def run(row, name, killed_before=None, killed_in=None):
        batches, tests = [], []

        def load_row(row, world, test=None, folder=None):
            config = load(row, world, test, folder)
            if test is None:
                config.train_cfg.max_epochs = EPOCHS
                config.train_dataloader.batch_size = 24
            return config

        def build_runner(config):
            runner = build(config)
            if config.get('train_dataloader'):
                runner.register_hook(Watch(batches, killed_before))
            else:
                tests.append(config)
                if len(tests) == killed_in:
                    raise KeyboardInterrupt
            return runner
        monkeypatch.setattr('mmengine.config.config.FormatCode', unformatted)
        monkeypatch.setattr(module, 'load_row', load_row)
        monkeypatch.setattr(module, 'build_runner', build_runner)
        path = tmp_path / name / 'result.json'
        try:
            run_row(row, SHAPES, 0, path.parent, data)
        except KeyboardInterrupt:
            assert not path.exists()
            return SimpleNamespace(batches=batches)
        return SimpleNamespace(batches=batches, tests=tests, path=path,
                               **json.loads(path.read_text()))
    return run


def as_row(result):
    """A finished row as the tables read it."""
    return read_result(Row('x', 'x'), SHAPES, {('x', 0): SimpleNamespace(result=result.path)})


def test_a_trained_row(watched, tmp_path):
    """Killed in the training, killed after it, and again in peace: it is the same."""
    peace = watched('table7_mbta', 'peace')
    assert (peace.row, peace.world, peace.seed) == ('table7_mbta', 'moving_shapes', 0)
    training = peace.training
    assert training['steps'] == EPOCHS == len(peace.batches) and training['seconds'] > 0
    assert set(peace.metrics) == set(SHAPES.tests)
    assert {**made_by(), 'version': mmbt.__version__} == {
        key: getattr(peace, key) for key in ('sources', 'libraries', 'version')}
    assert torch.__version__.startswith(peace.libraries['torch'])
    ours = as_row(peace)
    for column in SHAPES.columns:
        value, = ours.values[column.label]
        assert math.isfinite(value) and 0 <= value <= 100
        assert value == column.scale * peace.metrics[column.test][column.metric]
    assert ours.seconds.tolist() == [training['seconds']]
    for part, base in dict(train='pretrain', motion='recognition').items():
        dumped, = (tmp_path / 'peace' / part).glob(f'*_over_shapes_{base}.py')
        assert Config.fromfile(dumped).ablation == dict(
            row='table7_mbta', base=f'demo/shapes_{base}')

    assert watched('table7_mbta', 'killed', killed_before=1).batches == peace.batches[:1]
    assert watched('table7_mbta', 'killed', killed_in=2).batches == peace.batches[1:]
    killed = watched('table7_mbta', 'killed')
    assert killed.batches == []  # trained already
    assert killed.metrics == peace.metrics
    assert killed.training['steps'] == EPOCHS
    assert killed.training['weights'] == training['weights'] == ours.weights
    checkpoint = torch.load(tmp_path / f'killed/train/epoch_{EPOCHS}.pth', weights_only=False)
    trained = [key for key in checkpoint['state_dict'] if not key.startswith('backbone.trunk.')]
    assert sum(checkpoint['state_dict'][key].numel() for key in trained) == training['weights']
    seconds = checkpoint['message_hub']['log_scalars']['train/time'].data[0]
    assert len(seconds) == EPOCHS
    assert killed.training['seconds'] == pytest.approx(seconds.sum())


def test_rivals_are_fed_the_same(watched):
    """Whatever random numbers a model draws: the same clips and frames, step by step."""
    ours = watched('table7_vtc', 'ours', killed_before=2).batches
    assert len(set(ours)) == len(ours) == 2  # frames are drawn anew in each epoch
    assert watched('table10_stan_open', 'rival', killed_before=2).batches == ours


def test_a_row_that_trains_nothing(watched, data, monkeypatch, tmp_path):
    """From the command line, with the CLIP of the seed; and in a fork, as `mmbt ablate` runs it."""
    result = watched('table6_clip', 'clip')
    assert result.batches == [] and 'training' not in result.__dict__
    for test in result.tests:
        assert test.load_from is None
        assert test.model.trunk.pretrained == str(data / 'clip/epoch_16.pth')
    ours = as_row(result)
    assert all(len(values) == 1 for values in ours.values.values()) and ours.weights == 0
    assert result.metrics['retrieval']['pairs/acc'] == pytest.approx(50, abs=17)

    mark = fingerprint('table6_clip', SHAPES)
    of_row = command(Run('table6_clip', 0, tmp_path / mark, data), SHAPES)
    assert of_row[1].main is main
    assert run_all([of_row], 1, None, lambda title, seconds: None)
    fork = json.loads((tmp_path / mark / 'result.json').read_text())
    assert set(fork['metrics']) == set(SHAPES.tests)
    for test, metrics in fork['metrics'].items():
        assert len(metrics) >= 4
        for name, value in metrics.items():
            assert name in ('time', 'data_time') or value == result.metrics[test][name]

    calls = []
    monkeypatch.setattr(module, 'run_row', lambda *args: calls.append(args))
    monkeypatch.setattr('sys.argv', ['', 'table6_clip', '--world', 'moving_shapes', '--seed', '1',
                                     '--data', str(data), '--folder', 'here'])
    main()
    (row, world, seed, folder, given, launcher), = calls
    assert (row, world, seed, str(folder), given) == ('table6_clip', SHAPES, 1, 'here', data)
    assert launcher == 'none'

    # Planned by code that has changed since: nothing runs under its name.
    monkeypatch.setattr('sys.argv', [*sys.argv, '--planned', '0123456789'])
    with pytest.raises(SystemExit, match='changed since this run was planned'):
        main()
    monkeypatch.setattr('sys.argv', ['', 'prepare', '--world', 'moving_shapes', '--seed', '1',
                                     '--data', str(data), '--planned', '0123456789'])
    with pytest.raises(SystemExit, match='changed since this run was planned'):
        main()
    assert len(calls) == 1


def test_a_row_is_run_by_one_at_a_time(tmp_path, monkeypatch):
    """By one command, that is, whose processes share it."""
    with Lock(tmp_path / 'row.lock'):
        with pytest.raises(ValueError, match=f'^{tmp_path} is being written by another run .proc'):
            run_row('table7_vtc', SHAPES, 0, tmp_path, tmp_path)
        monkeypatch.setenv('RANK', '1')
        with alone(tmp_path):
            pass
