"""Close the gaps between the upstream releases that mmbt runs on.

One function for each breakage, with its upstream link. Each leaves upstream alone where upstream
works, may be called twice, and is undone by deleting its line in :func:`apply`.
"""
import importlib
import importlib.abc
import importlib.metadata
import importlib.util
import logging
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

# Import name, the distributions that provide it, lowest version, first version too new or None.
REQUIREMENTS = (
    ('mmengine', ('mmengine', 'mmengine-lite'), '0.10.6', '1.0.0'),
    ('mmcv', ('mmcv', 'mmcv-lite'), '2.0.0', '2.2.0'),
    ('mmaction', ('mmaction2',), '1.2.0', '2.0.0'),
    ('av', ('av',), '17.1.0', None),  # older ones lack names, or end the process on some files
)

# What mmaction2 and mmpretrain import from transformers.modeling_utils, and where it lives.
MOVED_NAMES = {
    'apply_chunking_to_forward': 'transformers.pytorch_utils',
    'find_pruneable_heads_and_indices': 'transformers.pytorch_utils',
    'prune_linear_layer': 'transformers.pytorch_utils',
    'GenerationMixin': 'transformers.generation',
    'PretrainedConfig': 'transformers.configuration_utils',
}

FORMATTED = 16
"""Configs that are kept as they were written."""
HARMLESS_WARNINGS = (
    'Fail to import ``MultiScaleDeformableAttention``',  # mmcv-lite: no video model needs it
    'Importing from timm.models.layers is deprecated',  # mmaction2's and mmpretrain's own imports
)


def apply() -> None:
    """Close every gap. ``import mmbt`` calls it before anything of mmaction2 is imported."""
    check_versions()
    silence_harmless_warnings()
    supply_drn_localizer()
    restore_transformers_names()
    guard_checkpoints()
    check_what_is_resumed()
    refuse_configs_in_checkpoints()
    launch_without_gpu()
    wrap_models_on_cpu()
    allow_amp_on_cpu()
    turn_hue_under_numpy_2()
    write_checkpoints_whole()
    find_checkpoints_that_are_there()
    log_any_name()
    format_configs_once()


def check_versions() -> None:
    """Refuse releases that do not fit together, in one line, before they fail somewhere inside.

    https://mmcv.readthedocs.io/en/latest/get_started/installation.html says that mmcv and
    mmcv-lite must not share an environment: they write to the same folder.

    Raises:
        ImportError: A package is missing or of a version that mmbt does not run on.
    """
    from packaging.version import Version

    for module, distributions, low, high in REQUIREMENTS:
        found = {name: _installed_version(name) for name in distributions}
        found = {name: version for name, version in found.items() if version}
        for name, version in found.items():
            if Version(version) < Version(low) or high and Version(version) >= Version(high):
                wanted = wanted_version(name, low, high)
                raise ImportError(f'mmbt runs on {wanted}, but {name} {version} is installed: '
                                  f"pip install '{wanted}'")
        if not found and importlib.util.find_spec(module) is None:
            wanted = wanted_version(distributions[-1], low, high)
            raise ImportError(f'mmbt needs {module}, which is not installed: '
                              f"pip install '{wanted}'")
        if len(found) > 1:
            both = ' and '.join(found)
            warnings.warn(f'{both} are both installed and overwrite each other: pip uninstall -y '
                          f'{" ".join(found)}, then install one of them again', stacklevel=2)


def wanted_version(name: str, low: str, high: str | None) -> str:
    """A requirement as pip takes it."""
    return f'{name}>={low}' + (f',<{high}' if high else '')


def _installed_version(distribution: str) -> str:
    """The version of an installed distribution, '' where it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ''


def silence_harmless_warnings() -> None:
    """Hide the warnings of upstream's imports that no user of mmbt can act on.

    https://github.com/open-mmlab/mmcv/blob/v2.1.0/mmcv/cnn/bricks/transformer.py#L25
    """
    for message in HARMLESS_WARNINGS:
        warnings.filterwarnings('ignore', message=message)


def supply_drn_localizer() -> None:
    """Stand in for ``mmaction.models.localizers.drn``, which mmaction2's wheel lacks.

    https://github.com/open-mmlab/mmaction2/issues/2714
    """
    name = 'mmaction.models.localizers.drn'
    spec = importlib.util.find_spec('mmaction')
    places = spec.submodule_search_locations if spec else None
    if not places or name in sys.modules:
        return
    if any(Path(place, 'models', 'localizers', 'drn').is_dir() for place in places):
        return
    package, module = types.ModuleType(name), types.ModuleType(f'{name}.drn')
    package.__path__ = []
    vars(module)['DRN'] = _stand_in(
        'DRN', 'mmaction2 was packed without it: install mmaction2 from source')
    sys.modules[name], sys.modules[f'{name}.drn'] = package, module


def restore_transformers_names() -> None:
    """Offer again what left ``transformers.modeling_utils``, so that ``mmaction.models`` imports.

    VindLU, and mmpretrain's multimodal models where pycocotools is installed, import names that
    have left it, most of them in 4.56; in 5.x ``find_pruneable_heads_and_indices`` is gone.
    https://github.com/xinyu1205/recognize-anything/issues/219
    """
    if 'transformers.modeling_utils' in sys.modules:
        offer_moved_names(sys.modules['transformers.modeling_utils'])
    elif not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        # Reading it takes two seconds, which who builds no model need not pay.
        sys.meta_path.insert(0, _AfterImport('transformers.modeling_utils', offer_moved_names))


def offer_moved_names(modeling_utils: types.ModuleType) -> None:
    """Give the module the names that have left it, and stand-ins for those that are gone."""
    for name, home in MOVED_NAMES.items():
        if hasattr(modeling_utils, name):
            continue
        moved = getattr(importlib.import_module(home), name, None)
        gone = 'the installed transformers no longer has it: pip install transformers==4.55.4'
        setattr(modeling_utils, name, moved or _stand_in(name, gone))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Does something with a module at the end of its first import."""

    def __init__(self, name: str, deed: Callable[[types.ModuleType], None]) -> None:
        self.name, self.deed = name, deed

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != self.name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_do(module: types.ModuleType) -> None:
            execute(module)
            self.deed(module)

        spec.loader.exec_module = execute_and_do  # type: ignore[method-assign]
        return spec


def _stand_in(name: str, reason: str) -> type:
    """A class that can be imported, and says why it cannot be used."""

    def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ImportError(f'{name} cannot be used: {reason}')

    return type(name, (), {'__init__': refuse, '__module__': __name__})


def guard_checkpoints() -> None:
    """Let mmengine resume its own runs under torch>=2.6, and never run what a file holds.

    mmengine calls ``torch.load`` without ``weights_only``, and pickles its log history through
    ``getattr``, which torch>=2.6 refuses. The remedy upstream proposes, ``weights_only=False``,
    runs any code in the file. Here every file is read by a reader of our own, and what does not fit
    a run is said in one line with the file's name.
    https://github.com/open-mmlab/mmengine/issues/1655
    """
    from mmengine.runner import CheckpointLoader, Runner

    from .files.safe_load import guarded, naming
    original = CheckpointLoader.load_checkpoint.__func__
    _replace(CheckpointLoader, 'load_checkpoint', original, guarded(original))
    for name, deed in (('load_checkpoint', 'loaded'), ('resume', 'resumed from')):
        original = getattr(Runner, name)
        _replace(Runner, name, original, naming(original, deed))


def check_what_is_resumed() -> None:
    """Let a checkpoint end no process by its optimizer's state, and delete no file.

    torch's fused kernels write beyond moments that are smaller than their weights, and mmengine
    deletes the file that a checkpoint calls the best one before.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/hooks/checkpoint_hook.py#L530
    """
    from mmengine.hooks import CheckpointHook
    from mmengine.optim import AmpOptimWrapper, ApexOptimWrapper, BaseOptimWrapper
    from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

    from .files.run_state import checking_files, checking_optimizer, checking_schedule
    for owner, name, checking in (
            (BaseOptimWrapper, 'load_state_dict', checking_optimizer),
            (AmpOptimWrapper, 'load_state_dict', checking_optimizer),
            (ApexOptimWrapper, 'load_state_dict', checking_optimizer),
            (_ParamScheduler, 'load_state_dict', checking_schedule),
            (CheckpointHook, 'before_train', checking_files)):
        original = vars(owner)[name]
        _replace(owner, name, original, checking(original))


def refuse_configs_in_checkpoints() -> None:
    """Never run the config that a checkpoint holds, which is Python.

    mmengine's inferencers, MMAction2's among them, run it where they are given weights alone.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/infer/infer.py#L476
    """
    from mmengine.infer import BaseInferencer

    original = BaseInferencer._init_model

    @wraps(original)
    def init_model(self: Any, cfg: Any, weights: Any, device: str = 'cpu') -> Any:
        if not cfg:
            raise ValueError(f'{weights}: name its config file too; the config that a checkpoint '
                             'holds is Python, and is not run')
        return original(self, cfg, weights, device)

    _replace(BaseInferencer, '_init_model', original, init_model)


def launch_without_gpu() -> None:
    """Let mmengine's launchers start on a machine without an accelerator, over gloo.

    They call ``torch.cuda.set_device`` unconditionally, and configs say ``backend='nccl'``.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/dist/utils.py#L104
    """
    import mmengine.dist.utils as dist_utils

    for name in ('_init_dist_pytorch', '_init_dist_slurm', '_init_dist_mpi'):
        original = getattr(dist_utils, name)

        @wraps(original)
        def init_dist(backend: str, *, original: Callable = original, **kwargs: Any) -> None:
            if has_accelerator():
                return original(backend, **kwargs)
            with _cuda_device_ignored():
                return original('gloo' if 'nccl' in backend else backend, **kwargs)

        _replace(dist_utils, name, original, init_dist)


@contextmanager
def _cuda_device_ignored() -> Iterator[None]:
    """``torch.cuda.set_device`` does nothing inside."""
    import torch

    original = torch.cuda.set_device
    torch.cuda.set_device = lambda device: None
    try:
        yield
    finally:
        torch.cuda.set_device = original


def wrap_models_on_cpu() -> None:
    """Let mmengine wrap a CPU model: its Runner names a GPU, which torch refuses for CPU tensors.

    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/runner/runner.py#L900
    """
    from mmengine.model import MMDistributedDataParallel

    original = MMDistributedDataParallel.__init__

    @wraps(original)
    def init(self: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if all(parameter.device.type == 'cpu' for parameter in module.parameters()):
            kwargs.update(device_ids=None, output_device=None)
        original(self, module, *args, **kwargs)

    _replace(MMDistributedDataParallel, '__init__', original, init)


def allow_amp_on_cpu() -> None:
    """Let ``--amp`` train in bfloat16 on a machine without an accelerator.

    mmengine's autocast supports the CPU and its loss scaler is idle there, but its optimizer
    wrapper asserts that there is a GPU.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/optim/optimizer/amp_optimizer_wrapper.py#L76
    """
    import mmengine.optim.optimizer.amp_optimizer_wrapper as amp

    original = amp.is_cuda_available

    @wraps(original)
    def is_cuda_available() -> bool:
        return original() or not has_accelerator()

    _replace(amp, 'is_cuda_available', original, is_cuda_available)


def turn_hue_under_numpy_2() -> None:
    """Let mmaction2's ColorJitter turn the hue back: it adds a negative int to a uint8 array.

    https://numpy.org/neps/nep-0050-scalar-promotion.html
    """
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter

    if np.lib.NumpyVersion(np.__version__) < '2.0.0':
        return
    original = ColorJitter.adjust_hue

    @wraps(original)
    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        hsv = cv2.cvtColor(np.clip(img, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(np.int16) + int(factor * 255)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    _replace(ColorJitter, 'adjust_hue', original, adjust_hue)


def write_checkpoints_whole() -> None:
    """Let a checkpoint be whole or absent: mmengine writes over the file, and a kill cuts it short.

    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/fileio/backends/local_backend.py#L76
    """
    from mmengine.fileio.backends import LocalBackend

    from .files.atomic import whole_file
    original = LocalBackend.put

    @wraps(original)
    def put(self: Any, obj: bytes, filepath: Any) -> None:
        with whole_file(filepath) as draft:
            draft.write_bytes(obj)

    _replace(LocalBackend, 'put', original, put)


def find_checkpoints_that_are_there() -> None:
    """Let ``--resume`` find the newest checkpoint that is whole, and in the work folder.

    mmengine takes the name in ``last_checkpoint``, which it empties before it writes and which a
    copied folder brings along from elsewhere, and looks at no file.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/hooks/checkpoint_hook.py#L460
    """
    import mmengine.runner.runner as runner

    from .files.latest import latest_checkpoint
    original = runner.find_latest_checkpoint

    @wraps(original)
    def find_latest_checkpoint(path: str) -> Any:
        from mmengine.logging import print_log
        return latest_checkpoint(path, lambda line: print_log(line, 'current', logging.WARNING))

    _replace(runner, 'find_latest_checkpoint', original, find_latest_checkpoint)


def log_any_name() -> None:
    """Let log files hold names of files that are not UTF-8, which Python refuses to encode.

    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/logging/logger.py#L261
    """
    from mmengine.logging import MMLogger

    from .files.shown import ANY_NAME
    original = MMLogger.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        for handler in self.handlers:
            if isinstance(handler, logging.FileHandler) and handler.stream:
                handler.stream.reconfigure(errors=ANY_NAME)

    _replace(MMLogger, '__init__', original, init)


def format_configs_once() -> None:
    """Write a config nicely once, not anew for the log, the dump and each checkpoint.

    That takes longer than many a training step, and a config seldom changes.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/config/config.py#L1478
    """
    import mmengine.config.config as config

    original = config.FormatCode
    written: dict[tuple, tuple[str, bool]] = {}

    @wraps(original)
    def format_code(text: str, style_config: dict, **kwargs: Any) -> tuple[str, bool]:
        key = text, tuple(sorted(style_config.items())), tuple(sorted(kwargs.items()))
        if key not in written:
            if len(written) >= FORMATTED:
                written.clear()
            written[key] = original(text, style_config=style_config, **kwargs)
        return written[key]

    _replace(config, 'FormatCode', original, format_code)


def has_accelerator() -> bool:
    """Whether mmengine would train on anything but the CPU."""
    from mmengine.device import get_device

    return get_device() not in ('cpu', 'mps')


def _replace(owner: Any, name: str, original: Callable, replacement: Callable) -> None:
    """Set ``owner.name``, unless what it holds is already a replacement of ours."""
    if hasattr(original, '_replaced_by_mmbt'):
        return
    replacement._replaced_by_mmbt = True  # type: ignore[attr-defined]
    kind = type(vars(owner)[name])
    setattr(owner, name, kind(replacement) if kind in (classmethod, staticmethod) else replacement)
