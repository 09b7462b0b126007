"""A resumed run with the optimizer's settings and the schedules of its own config."""
from typing import Any

from mmengine.optim import OptimWrapper
from mmengine.runner import Runner


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
