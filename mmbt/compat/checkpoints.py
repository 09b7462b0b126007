"""Gaps of mmengine's checkpoints: what they may hold, whether they are whole, which is found."""
import logging
from functools import wraps
from typing import Any

from .running import replace


def guard_checkpoints() -> None:
    """Let mmengine resume its own runs under torch>=2.6, and never run what a file holds.

    mmengine calls ``torch.load`` without ``weights_only``, and pickles its log history through
    ``getattr``, which torch>=2.6 refuses. The remedy upstream proposes, ``weights_only=False``,
    runs any code in the file. Here every file is read by a reader of our own, and what does not fit
    a run is said in one line with the file's name.
    https://github.com/open-mmlab/mmengine/issues/1655
    """
    from mmengine.runner import CheckpointLoader, Runner

    from mmbt.files.safe_load import guarded, naming
    original = CheckpointLoader.load_checkpoint.__func__
    replace(CheckpointLoader, 'load_checkpoint', original, guarded(original))
    for name, deed in (('load_checkpoint', 'loaded'), ('resume', 'resumed from')):
        original = getattr(Runner, name)
        replace(Runner, name, original, naming(original, deed))


def check_what_is_resumed() -> None:
    """Let a checkpoint end no process by its optimizer's state, and delete no file.

    torch's fused kernels write beyond moments that are smaller than their weights, and mmengine
    deletes the file that a checkpoint calls the best one before.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/hooks/checkpoint_hook.py#L530
    """
    from mmengine.hooks import CheckpointHook
    from mmengine.optim import AmpOptimWrapper, ApexOptimWrapper, BaseOptimWrapper
    from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

    from mmbt.files.run_state import checking_files, checking_optimizer, checking_schedule
    for owner, name, checking in (
            (BaseOptimWrapper, 'load_state_dict', checking_optimizer),
            (AmpOptimWrapper, 'load_state_dict', checking_optimizer),
            (ApexOptimWrapper, 'load_state_dict', checking_optimizer),
            (_ParamScheduler, 'load_state_dict', checking_schedule),
            (CheckpointHook, 'before_train', checking_files)):
        original = vars(owner)[name]
        replace(owner, name, original, checking(original))


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

    replace(BaseInferencer, '_init_model', original, init_model)


def write_checkpoints_whole() -> None:
    """Let a checkpoint be whole or absent: mmengine writes over the file, and a kill cuts it short.

    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/fileio/backends/local_backend.py#L76
    """
    from mmengine.fileio.backends import LocalBackend

    from mmbt.files.atomic import whole_file
    original = LocalBackend.put

    @wraps(original)
    def put(self: Any, obj: bytes, filepath: Any) -> None:
        with whole_file(filepath) as draft:
            draft.write_bytes(obj)

    replace(LocalBackend, 'put', original, put)


def find_checkpoints_that_are_there() -> None:
    """Let ``--resume`` find the newest checkpoint that is whole, and in the work folder.

    mmengine takes the name in ``last_checkpoint``, which it empties before it writes and which a
    copied folder brings along from elsewhere, and looks at no file.
    https://github.com/open-mmlab/mmengine/blob/v0.10.7/mmengine/hooks/checkpoint_hook.py#L460
    """
    import mmengine.runner.runner as runner

    from mmbt.files.latest import latest_checkpoint
    original = runner.find_latest_checkpoint

    @wraps(original)
    def find_latest_checkpoint(path: str) -> Any:
        from mmengine.logging import print_log
        return latest_checkpoint(path, lambda line: print_log(line, 'current', logging.WARNING))

    replace(runner, 'find_latest_checkpoint', original, find_latest_checkpoint)
