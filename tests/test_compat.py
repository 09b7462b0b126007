"""Every gap is closed, and left alone where upstream has none."""
import importlib.util
import sys
import warnings
from types import SimpleNamespace

import mmengine.dist.utils as dist_utils
import numpy as np
import pytest
import torch
import transformers.modeling_utils
import transformers.pytorch_utils
from mmaction.datasets.transforms import ColorJitter
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import CheckpointLoader

import mmbt  # noqa: F401
from mmbt import compat


@pytest.fixture
def installed(monkeypatch):
    """Pretend that other versions are installed: a dict to change."""
    versions = {'mmengine': '0.10.7', 'mmcv-lite': '2.1.0', 'mmaction2': '1.2.0',
                'av': '17.1.0'}
    monkeypatch.setattr(compat.imports, '_installed_version', lambda name: versions.get(name, ''))
    return versions


@pytest.mark.parametrize('mmcv', ['mmcv', 'mmcv-lite'])
def test_either_mmcv_serves(installed, mmcv):
    del installed['mmcv-lite']
    installed[mmcv] = '2.1.0'
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        compat.imports.check_versions()


def test_both_mmcv_at_once_warn_in_one_line(installed):
    installed['mmcv'] = '2.1.0'
    with pytest.warns(UserWarning) as caught:
        compat.imports.check_versions()
    message = str(caught[0].message)
    assert message.startswith('mmcv and mmcv-lite are both installed') and '\n' not in message


@pytest.mark.parametrize('name, version', [
    ('mmcv-lite', '2.2.0'), ('mmcv-lite', '1.7.2'), ('mmengine', '0.9.1'), ('mmaction2', '0.24.1'),
    ('av', '16.1.0')])
def test_version_that_does_not_fit_is_named_with_the_command(installed, name, version):
    installed[name] = version
    with pytest.raises(ImportError, match=rf"{name} {version} is installed: pip install '{name}>="):
        compat.imports.check_versions()


def test_missing_mmcv_is_named_with_the_command(installed, monkeypatch):
    del installed['mmcv-lite']
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ImportError, match="needs mmcv, .*pip install 'mmcv-lite>=2.0.0,<2.2.0'"):
        compat.imports.check_versions()


@pytest.fixture
def no_drn(monkeypatch, tmp_path):
    """Pretend that mmaction2 lies in tmp_path and nothing of its DRN was imported."""
    for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
        monkeypatch.delitem(sys.modules, name, raising=False)
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: spec)


def test_missing_drn_imports_and_says_why_it_cannot_be_built(no_drn):
    compat.imports.supply_drn_localizer()
    from mmaction.models.localizers.drn.drn import DRN
    with pytest.raises(ImportError, match='DRN cannot be used: .*from source'):
        DRN()


def test_drn_of_upstream_is_left_alone(no_drn, tmp_path):
    (tmp_path / 'models' / 'localizers' / 'drn').mkdir(parents=True)
    compat.imports.supply_drn_localizer()
    assert 'mmaction.models.localizers.drn' not in sys.modules


def test_models_of_mmaction_import():
    import mmaction.models  # noqa: F401
    from mmaction.registry import MODELS
    assert MODELS.get('VindLURetrieval') is not None


def test_moved_transformers_names_are_the_real_ones():
    for name in ('apply_chunking_to_forward', 'prune_linear_layer'):
        real = getattr(transformers.pytorch_utils, name)
        assert getattr(transformers.modeling_utils, name) is real


def test_names_that_transformers_has_are_left_alone(monkeypatch):
    theirs = object()
    monkeypatch.setattr(transformers.modeling_utils, 'apply_chunking_to_forward', theirs)
    compat.imports.restore_transformers_names()
    assert transformers.modeling_utils.apply_chunking_to_forward is theirs


def test_names_that_are_gone_say_so_on_use(monkeypatch):
    monkeypatch.setattr(compat.imports, 'MOVED_NAMES', {'long_gone': 'transformers.pytorch_utils'})
    monkeypatch.setattr(transformers.modeling_utils, 'long_gone', None, raising=False)
    monkeypatch.delattr(transformers.modeling_utils, 'long_gone')
    compat.imports.restore_transformers_names()
    with pytest.raises(ImportError, match='long_gone cannot be used: .*no longer has it'):
        transformers.modeling_utils.long_gone()
    del transformers.modeling_utils.long_gone


def test_applying_twice_replaces_nothing_twice():
    before = (CheckpointLoader.load_checkpoint.__func__, dist_utils._init_dist_pytorch,
              MMDistributedDataParallel.__init__)
    with warnings.catch_warnings():
        compat.apply()
    assert before == (CheckpointLoader.load_checkpoint.__func__, dist_utils._init_dist_pytorch,
                      MMDistributedDataParallel.__init__)


@pytest.fixture
def started(monkeypatch):
    """Record what a launcher does instead of doing it; stands for process 1 of 2."""
    log = SimpleNamespace(backend=None, device=None)
    for name, value in dict(RANK=1, LOCAL_RANK=1, WORLD_SIZE=2, SLURM_PROCID=1, SLURM_LOCALID=1,
                            SLURM_NTASKS=2, SLURM_NODELIST='here', MASTER_ADDR='127.0.0.1',
                            MASTER_PORT=29500).items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(dist_utils.subprocess, 'getoutput', lambda command: '127.0.0.1')
    monkeypatch.setattr(torch.cuda, 'set_device', lambda device: setattr(log, 'device', device))
    monkeypatch.setattr(dist_utils.torch_dist, 'init_process_group',
                        lambda backend, **kwargs: setattr(log, 'backend', backend))
    return log


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_launchers_use_gloo_without_a_gpu(started, monkeypatch, launcher):
    monkeypatch.setattr(compat.running, 'has_accelerator', lambda: False)
    set_device = torch.cuda.set_device
    dist_utils.init_dist(launcher, backend='nccl')
    assert (started.backend, started.device) == ('gloo', None)
    assert torch.cuda.set_device is set_device


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_launchers_are_left_alone_with_a_gpu(started, monkeypatch, launcher):
    monkeypatch.setattr(compat.running, 'has_accelerator', lambda: True)
    dist_utils.init_dist(launcher, backend='nccl')
    assert (started.backend, started.device) == ('nccl', 1)


def test_cpu_model_is_wrapped_though_the_runner_names_a_gpu(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / 'store'), 1)
    torch.distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    try:
        wrapped = MMDistributedDataParallel(module=torch.nn.Linear(2, 1), device_ids=[0])
        assert wrapped(torch.zeros(1, 2)).shape == (1, 1)
        assert wrapped.device_ids is None
    finally:
        torch.distributed.destroy_process_group()


def test_hue_turns_back_as_far_as_it_turned():
    """Red is hue 0 of 180 in OpenCV; a tenth is int(25.5) of them: (255, 25 / 30 * 255, 0)."""
    red = np.full((1, 1, 3), (255, 0, 0), np.float32)
    turned = ColorJitter.adjust_hue(red, 0.1)
    assert np.abs(turned - (255, 212.5, 0)).max() <= 1
    assert np.array_equal(ColorJitter.adjust_hue(turned, -0.1), red)


@pytest.mark.filterwarnings('ignore')
def test_mixed_precision_trains_in_bfloat16_without_a_gpu():
    model = torch.nn.Linear(2, 1)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=1.0))
    before = model.weight.detach().clone()
    device = model.weight.device
    if compat.running.has_accelerator():
        device = torch.device('cuda')
        model.to(device)
    with wrapper.optim_context(model):
        loss = model(torch.ones(1, 2, device=device)).sum()
    if not compat.running.has_accelerator():
        assert loss.dtype == torch.bfloat16
    wrapper.update_params(loss)
    assert not torch.equal(model.weight.detach().cpu(), before)
