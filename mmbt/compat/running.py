"""Gaps of a run: machines without an accelerator, NumPy 2, logs, configs."""
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

FORMATTED = 16
"""Configs that are kept as they were written."""


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

        replace(dist_utils, name, original, init_dist)


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

    replace(MMDistributedDataParallel, '__init__', original, init)


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

    replace(amp, 'is_cuda_available', original, is_cuda_available)


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

    replace(ColorJitter, 'adjust_hue', original, adjust_hue)


def log_any_name() -> None:
    """Let log files hold names of files that are not UTF-8, which Python refuses to encode.

    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/logging/logger.py#L261
    """
    from mmengine.logging import MMLogger

    from mmbt.files.shown import ANY_NAME
    original = MMLogger.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        for handler in self.handlers:
            if isinstance(handler, logging.FileHandler) and handler.stream:
                handler.stream.reconfigure(errors=ANY_NAME)

    replace(MMLogger, '__init__', original, init)


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

    replace(config, 'FormatCode', original, format_code)


def has_accelerator() -> bool:
    """Whether mmengine would train on anything but the CPU."""
    from mmengine.device import get_device

    return get_device() not in ('cpu', 'mps')


def replace(owner: Any, name: str, original: Callable, replacement: Callable) -> None:
    """Set ``owner.name``, unless what it holds is already a replacement of ours."""
    if hasattr(original, '_replaced_by_mmbt'):
        return
    replacement._replaced_by_mmbt = True  # type: ignore[attr-defined]
    kind = type(vars(owner)[name])
    setattr(owner, name, kind(replacement) if kind in (classmethod, staticmethod) else replacement)
