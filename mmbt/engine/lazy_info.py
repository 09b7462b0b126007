"""Log the losses and the gradient's norm without waiting for a GPU in each step."""
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import CheckpointHook, Hook, LoggerHook, RuntimeInfoHook
from mmengine.optim import OptimWrapper
from mmengine.runner import Runner
from torch import Tensor


@HOOKS.register_module()
class LazyRuntimeInfoHook(RuntimeInfoHook):
    """MMEngine's ``RuntimeInfoHook``, which reads what a step computed only when it is asked for.

    MMEngine reads each loss after each step, and where ``optim_wrapper.clip_grad`` is set the
    gradient's norm before the optimizer's step. A GPU's host waits for each such reading, and can
    launch nothing meanwhile. Here the values stay where they are until the logger writes or a
    checkpoint is due; then all of them go into the log's history, one for each step, as ever.

    Of several processes each has its share of a loss (see :func:`mmbt.models.losses.global_mean`).
    What is logged is the mean over them, the loss of the joined batch; they exchange it when it is
    read, once for all steps since the last reading.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[tuple[str, Tensor]] = []

    def before_train(self, runner: Runner) -> None:
        """Let clipping keep the norms of gradients for later too."""
        super().before_train(runner)
        wrapper = runner.optim_wrapper
        if isinstance(wrapper, OptimWrapper) and wrapper.clip_grad_kwargs:
            wrapper.clip_func = self.keeping(wrapper.clip_func, f'train/{wrapper.grad_name}')

    def keeping(self, clip: Callable, name: str) -> Callable:
        """``clip``, with its result kept for later and None in its place, which nobody reads."""

        def clip_and_keep(*args: Any, **kwargs: Any) -> None:
            norm = clip(*args, **kwargs)
            if norm is not None:  # clipping by value has none
                self.pending.append((name, norm))

        return clip_and_keep

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Keep the outputs of the step; read all that is kept where something is due."""
        self.pending += [(f'train/{name}', value.detach() if torch.is_tensor(value) else value)
                         for name, value in (outputs or {}).items()]
        if any(_is_due(hook, runner, batch_idx) for hook in runner.hooks):
            self.read(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Read what is still kept."""
        self.read(runner)

    def read(self, runner: Runner) -> None:
        """Write what is pending into the history; all processes call it after the same steps."""
        pending, self.pending = self.pending, []
        for (name, _), value in zip(pending, _mean_of_processes([value for _, value in pending])):
            runner.message_hub.update_scalar(name, value)


def _mean_of_processes(values: Sequence[Any]) -> list[Any]:
    """The mean over all processes of each number; the host waits once for all of them."""
    if not values or get_world_size() == 1:
        return list(values)
    device = next((value.device for value in values if torch.is_tensor(value)), 'cpu')
    numbers = torch.stack([torch.as_tensor(value, dtype=torch.float64, device=device).reshape(())
                           for value in values])
    all_reduce(numbers, 'mean')
    return numbers.tolist()


def _is_due(hook: Hook, runner: Runner, batch_idx: int) -> bool:
    """Whether a hook writes the history after this iteration: to the log, or to a checkpoint."""
    if isinstance(hook, LoggerHook):
        return hook.every_n_inner_iters(batch_idx, hook.interval) or \
            hook.end_of_epoch(runner.train_dataloader, batch_idx)
    return isinstance(hook, CheckpointHook) and not hook.by_epoch and (
        hook.every_n_train_iters(runner, hook.interval) or hook.is_last_train_iter(runner))
