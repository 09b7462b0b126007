"""Learning rates: by shares of the run, however long it is, and those of a run that is resumed."""
import math
from typing import Any

from mmaction.registry import PARAM_SCHEDULERS
from mmengine.optim import OptimWrapper, _ParamScheduler
from mmengine.runner import Runner


@PARAM_SCHEDULERS.register_module()
class WarmUpCosineLR(_ParamScheduler):
    """Warm up linearly over a share of the run, then fall along a cosine over the rest.

    ``param_scheduler = dict(type='WarmUpCosineLR', warmup=0.1, by_epoch=False)``: of N iterations
    the first ``W = round(warmup * N)`` rise from ``start_factor`` of each parameter group's rate to
    all of it, and iteration ``W + k`` has ``(1 + cos(pi k / D)) / 2`` of it, D = N - W. N is the
    length that MMEngine knows once the data are there: epochs times batches, or ``max_iters``.

    The rate is computed from the iteration's number alone. A resumed run so goes on bit for bit
    where nothing has changed; where the config has another rate or length, it has the rate that
    the config asks for at that iteration.

    Args:
        optimizer: The optimizer or its wrapper; the runner passes it.
        warmup: Share of the run, in [0, 1].
        start_factor: Share of the rate in the first iteration of the warm-up.
        decay: Length of the cosine in shares of the run, from the end of the warm-up. None: it
            reaches zero where the run ends. More than is left of the run ends above zero.
        begin: Iteration at which the schedule begins.
        end: Iteration at which the run ends; the runner passes it.
        last_step: As in MMEngine.
        by_epoch: Must be False: MMEngine then gives ``end`` in iterations.
        verbose: As in MMEngine.

    Raises:
        ValueError: If an argument is out of range, ``by_epoch`` is not False, or the run has no
            iteration.
    """

    def __init__(self,
                 optimizer: Any,
                 warmup: float = 0.1,
                 start_factor: float = 0.01,
                 decay: float | None = None,
                 begin: int = 0,
                 end: int | None = None,
                 last_step: int = -1,
                 by_epoch: bool = True,
                 verbose: bool = False) -> None:
        if by_epoch or end is None:
            raise ValueError('WarmUpCosineLR counts the iterations of the run: set by_epoch=False '
                             'in param_scheduler')
        for name, value in (('warmup', warmup), ('start_factor', start_factor)):
            if not 0 <= value <= 1:
                raise ValueError(f'{name} of WarmUpCosineLR is a share in [0, 1], got {value}')
        if decay is not None and decay <= 0:
            raise ValueError(f'decay of WarmUpCosineLR must be above 0, got {decay}')
        if end <= begin:
            raise ValueError(f'the run ends at iteration {end} and WarmUpCosineLR begins at '
                             f'{begin}: are there fewer training clips than one batch? Lower '
                             'train_dataloader.batch_size')
        self.warmup, self.start_factor, self.decay = warmup, start_factor, decay
        super().__init__(optimizer, 'lr', begin, end, last_step, by_epoch, verbose)

    def factor(self, step: int) -> float:
        """Share of the rate in an iteration, counted from ``begin``."""
        length = self.end - self.begin
        rising = round(self.warmup * length)
        if step < rising:
            return self.start_factor + (1 - self.start_factor) * step / max(rising - 1, 1)
        falling = length - rising if self.decay is None else self.decay * length
        return (1 + math.cos(math.pi * min((step - rising) / falling, 1))) / 2

    def _get_value(self) -> list[float]:
        factor = self.factor(self.last_step)
        return [base * factor for base in self.base_values]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take from a checkpoint where the run stood; rates and length are the config's."""
        self.last_step, self._global_step = state_dict['last_step'], state_dict['_global_step']
        for group, base in zip(self.optimizer.param_groups, self.base_values):
            group['initial_lr'] = base
        if self.begin <= self._global_step < self.end:
            self.last_step = self._global_step - self.begin  # a run that had ended may go on
            for group, value in zip(self.optimizer.param_groups, self._get_value()):
                group['lr'] = value
        self._last_value = [group['lr'] for group in self.optimizer.param_groups]


def copy_groups(optim_wrapper: Any) -> list[dict[str, Any]] | None:
    """The settings of an optimizer's groups as built from a config, before schedules act on them.

    Args:
        optim_wrapper: The runner's, whose schedules have been built.

    Returns:
        One dict a group, without parameters; None for a dict of several optimizers.
    """
    if not isinstance(optim_wrapper, OptimWrapper):
        return None
    groups = []
    for group in optim_wrapper.param_groups:
        settings = {name: value for name, value in group.items() if name != 'params'}
        for name in list(settings):
            if name.startswith('initial_'):
                settings[name[len('initial_'):]] = settings.pop(name)
        groups.append(settings)
    return groups


def apply_schedule(runner: Runner, groups: list[dict[str, Any]]) -> None:
    """Set a resumed optimizer to the config's settings, and play its schedules up to now.

    The optimizer's moments stay. The rates are then those that the config's schedules have at this
    iteration, as if the run had had them from the start.

    Args:
        runner: After resuming.
        groups: Of :func:`copy_groups`.
    """
    for group, settings in zip(runner.optim_wrapper.param_groups, groups):
        for name in [name for name in group if name.startswith('initial_')]:
            del group[name]
        group.update(settings)
    if runner.cfg.get('param_scheduler') is None:
        return
    schedulers = runner.build_param_scheduler(runner.cfg.param_scheduler)
    runner.param_schedulers = schedulers
    epoch = len(runner.train_dataloader)
    for iteration in range(1, runner.iter + 1):
        for scheduler in schedulers:
            if not scheduler.by_epoch or iteration % epoch == 0:
                scheduler.step()
