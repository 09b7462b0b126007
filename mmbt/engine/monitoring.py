"""What a training run tells about itself, and when it stops by itself."""
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import HOOKS
from mmengine.dist import get_world_size, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from mmbt.files.atomic import whole_file
from mmbt.models.gates import Gate

from .hooks import model_of
from .standstill import remember_start, standing_still
from .training_picture import training_picture

# Parts of a model whose learning rates may differ, by the beginnings of their parameters' names.
PARTS: dict[str, str | tuple[str, ...]] = {
    'temporal': ('backbone.branch.temporal.', 'backbone.temporal.'),
    'spatial': 'backbone.branch.spatial.',
    'gates': 'backbone.branch.gates.',
    'output_gate': 'backbone.branch.output_gate.',
    'heads': 'heads.',
}


@HOOKS.register_module()
class TrainingMonitorHook(Hook):
    """Log the branch's share at each gate, the rate of each part, and speed; draw all at the end.

    Adds to MMEngine's log, and so to TensorBoard, every ``interval`` iterations:

    - ``gate/1`` .. ``gate/K-1`` and ``gate/output``: the mean over channels of sigmoid(W_b);
    - ``lr/temporal``, ``lr/spatial``, ...: learning rates, where they differ from ``lr``;
    - ``clips_per_second`` of all processes, and ``data_wait``, the share of the time that was spent
      on waiting for data.

    After the training the whole log is drawn to ``training.png`` in the work folder. Where the
    rate, the gates or W_t ended where they began, a warning says so in one line.

    Args:
        interval: Iterations between two entries.
    """

    priority = 'BELOW_NORMAL'  # after the timer, before the logger

    def __init__(self, interval: int = 20) -> None:
        self.interval = interval

    def before_train(self, runner: Runner) -> None:
        """Remember the weights that training starts from."""
        remember_start(runner, model_of(runner))

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Add the gates' shares and the rates of the parts to the log, where it is time."""
        if not self.every_n_train_iters(runner, self.interval):
            return
        hub = runner.message_hub
        for name, value in {**_gate_shares(model_of(runner)), **_part_rates(runner)}.items():
            hub.update_scalar(f'train/{name}', value)
        seconds = hub.get_scalar('train/time').mean(self.interval)
        waited = hub.get_scalar('train/data_time').mean(self.interval)
        clips = runner.train_dataloader.batch_size * get_world_size()
        hub.update_scalar('train/clips_per_second', clips / seconds)
        hub.update_scalar('train/data_wait', waited / seconds)

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Warn of what stood still, and draw the curves of the run."""
        for line in standing_still(runner, model_of(runner)):
            runner.logger.warning(line)
        curves = {name[len('train/'):]: history.data for name, history
                  in runner.message_hub.log_scalars.items() if name.startswith('train/')}
        if not curves:
            return
        path = Path(runner.work_dir, 'training.png')
        with whole_file(path) as draft:
            draft.write_bytes(training_picture({k: (h[0], h[1]) for k, h in curves.items()}))
        runner.logger.info(f'the run is drawn in {path}')


@HOOKS.register_module()
class NonFiniteHook(Hook):
    """Stop a run whose loss is no longer finite, and name the clips that led to it.

    The losses are looked at when ``interval`` iterations have passed or a checkpoint is due, so
    that this hook does not wait for each. No checkpoint is written once a loss, or a trained weight
    after a loss that was still finite, has gone wrong: the last good one stays.

    Args:
        interval: Iterations between two looks.

    Raises:
        ValueError: At the first loss, or before a checkpoint of weights, that is not finite.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, interval: int = 20) -> None:
        self.interval = interval
        self.recent: deque[tuple[int, dict[str, Tensor], list[str]]] = deque()
        self.last: tuple[int, list[str]] = (0, [])

    def after_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """Keep the losses of the step with their clips; look at them where it is time."""
        losses = {k: v.detach() for k, v in (outputs or {}).items() if torch.is_tensor(v)}
        self.recent.append((runner.iter + 1, losses, video_ids(data_batch)))
        if self.every_n_train_iters(runner, self.interval):
            self.look(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at the losses since the last look."""
        self.look(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at the losses and at the trained weights, before they are kept."""
        self.look(runner)
        for name, weight in model_of(runner).named_parameters():
            if weight.requires_grad and not bool(weight.isfinite().all()):
                self.stop(runner, name, *self.last)

    def look(self, runner: Runner) -> None:
        """Look at the losses since the last look."""
        while self.recent:
            iteration, losses, clips = self.recent.popleft()
            self.last = iteration, clips
            for name, value in losses.items():
                if not bool(value.isfinite().all()):
                    self.stop(runner, name, iteration, clips)

    def stop(self, runner: Runner, what: str, iteration: int, clips: list[str]) -> None:
        """Say what is not finite, since when, and of which clips.

        Raises:
            ValueError: Always.
        """
        names = ', '.join(clips) or 'unnamed'
        raise ValueError(
            f'{what} is not finite in iteration {iteration}; its clips: {names}. The checkpoints '
            f'in {runner.work_dir} are from before it; resume with a lower learning rate or '
            'without these clips')


def _gate_shares(model: nn.Module) -> dict[str, float]:
    """Mean share of the branch at each gate, by its place; empty without such gates."""
    branch = getattr(getattr(model, 'backbone', None), 'branch', None)
    gates = {str(i + 1): gate for i, gate in enumerate(getattr(branch, 'gates', ()))}
    gates['output'] = getattr(branch, 'output_gate', None)
    return {f'gate/{place}': float(gate.weight.detach().sigmoid().mean())
            for place, gate in gates.items() if isinstance(gate, Gate)}


def _part_rates(runner: Runner) -> dict[str, float]:
    """Learning rates of the parts of :data:`PARTS` that have one of their own."""
    names = {id(parameter): name for name, parameter in model_of(runner).named_parameters()}
    groups = runner.optim_wrapper.param_groups
    rates = {}
    for group in groups:
        name = names.get(id(group['params'][0]), '') if group['params'] else ''
        for part, beginning in PARTS.items():
            if name.startswith(beginning):
                rates[f'lr/{part}'] = group['lr']
    return rates if len({group['lr'] for group in groups}) > 1 else {}


def video_ids(batch: Any) -> list[str]:
    """Identifiers of a batch's clips: ``video_id``, else ``filename``."""
    samples: Sequence = batch.get('data_samples') or () if isinstance(batch, dict) else ()
    return [str(sample.get('video_id') or sample.get('filename') or '?') for sample in samples]
