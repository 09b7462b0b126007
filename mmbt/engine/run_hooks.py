"""Hooks that lock a run's files, and keep its resumption the same training."""
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmbt.files.lock import Lock
from mmbt.files.source import source_of

from .resume_check import ALLOWED, check_resume, say, training_settings
from .schedule import apply_schedule, copy_groups

SETTINGS = 'training_settings'  # in a checkpoint's meta


@HOOKS.register_module()
class WorkDirLockHook(Hook):
    """Let one training at a time write to a work folder.

    Raises:
        Locked: Before the training, if another process trains there; it names it.
    """

    priority = 'VERY_HIGH'
    held: dict[Path, Lock] = {}  # by this process: its next run takes over from one that failed

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Lock the work folder."""
        folder = Path(runner.work_dir).resolve()
        self.release(folder)
        lock = Lock(folder / 'training.lock', str(runner.work_dir),
                    remedy='wait for it, or train with another --work-dir')
        lock.acquire()
        self.held[folder] = lock

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Unlock it."""
        self.release(Path(runner.work_dir).resolve())

    def release(self, folder: Path) -> None:
        """Give a folder back, if this process has it."""
        lock = self.held.pop(folder, None)
        if lock is not None:
            lock.release()


@HOOKS.register_module()
class ResumeCheckHook(Hook):
    """Keep in each checkpoint what decides the training, and refuse to resume with anything else.

    What may differ is listed in the config's ``allow_resume_changes``: keys such as
    ``'optim_wrapper.optimizer.lr'``, each with all below it, or True. Optimizer and schedules then
    go on as the config's would stand at this iteration, where MMEngine would restore the old ones.
    The seed is always the checkpoint's.

    Raises:
        ValueError: If another setting differs; it names the first few with both values.
    """

    priority = 'VERY_HIGH'

    def __init__(self) -> None:
        self._changed: list[str] = []
        self._groups: list[dict[str, Any]] | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare before anything is taken from the checkpoint."""
        if not runner._resume:
            return
        name = source_of(checkpoint.get('state_dict')).get(
            'file', f'the checkpoint in {runner.work_dir}')
        before = checkpoint.get('meta', {}).get(SETTINGS)
        if before is None:
            runner.logger.warning(f'{name} does not say with which settings it was trained; not '
                                  'compared with the config')
            return
        seed = runner._randomness_cfg.get('seed')
        now = training_settings(runner.cfg, seed, get_world_size())
        if seed is None and isinstance(before, dict):
            now['randomness.seed'] = before.get('randomness.seed', '')
        self._changed = check_resume(before, now, runner.cfg.get(ALLOWED, ()), name)
        if self._changed:
            self._groups = copy_groups(runner.optim_wrapper)
            runner.logger.warning(f'going on with other settings, as {ALLOWED} says: '
                                  f'{say(before, now, self._changed)}')

    def before_train(self, runner: Runner) -> None:
        """Go on with the config's optimizer and schedules, where they have changed."""
        if not self._changed:
            return
        if self._groups is not None:
            apply_schedule(runner, self._groups)
            runner.logger.info(f"optimizer and schedules are the config's from iteration "
                               f'{runner.iter} on')
        if 'randomness.seed' in self._changed:
            runner.logger.warning(f"the seed stays the checkpoint's: {runner.seed}")
        self._changed, self._groups = [], None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the settings into the checkpoint's ``meta``."""
        checkpoint['meta'][SETTINGS] = training_settings(runner.cfg, runner.seed, get_world_size())
