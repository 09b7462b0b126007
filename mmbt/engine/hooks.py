"""Hooks of training and evaluation: class prompts, broken videos, branch files, model cards."""
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmbt.datasets.broken_videos import BrokenVideoPolicy
from mmbt.datasets.pipeline_fit import fit_pipeline
from mmbt.files.source import CARD
from mmbt.models.checkpoints.branch_file import save_branch, trained_weights
from mmbt.models.checkpoints.card_files import check_card, model_card


def model_of(runner: Runner) -> nn.Module:
    """The runner's model, out of what distributes it."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


@contextmanager
def weights_of_checkpoints(runner: Runner) -> Iterator[None]:
    """Inside, the model has the weights that its checkpoints have: those that ``EMAHook`` averaged.

    Where there is no such hook they are the model's own.
    """
    averages = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    for hook in averages:
        hook._swap_ema_parameters()
    try:
        yield
    finally:
        for hook in reversed(averages):
            hook._swap_ema_parameters()


@HOOKS.register_module()
class ClassPromptHook(Hook):
    """Check the class names before each evaluation of zero-shot recognition.

    Their text features are then computed by the weights that the evaluation runs with, which may
    be averaged ones that :class:`mmengine.hooks.EMAHook` puts in.

    Raises:
        ValueError: If the data's labels count other class names than the model's head scores.
    """

    def before_val(self, runner: Runner) -> None:
        """Check the classes, see :meth:`check_classes`."""
        self.check_classes(runner, runner.val_dataloader)

    def before_test(self, runner: Runner) -> None:
        """Check the classes, see :meth:`check_classes`."""
        self.check_classes(runner, runner.test_dataloader)

    def check_classes(self, runner: Runner, loader: DataLoader) -> None:
        """See that the labels mean the classes that are scored, and forget former features.

        Args:
            runner: Whose model has a ``cls_head``.
            loader: The data of the evaluation; what names no classes is let be.

        Raises:
            ValueError: If the data name other classes.
        """
        model = model_of(runner)
        labelled = getattr(loader.dataset, 'metainfo', {}).get('classes')
        scored = model.cls_head.classes
        if labelled is not None and list(labelled) != list(scored):
            raise ValueError(f'the dataset names {len(labelled)} classes and cls_head '
                             f'{len(scored)}, and they are not the same; set class_file and '
                             'class_names of the dataset and of model.cls_head alike')
        model.forget_classes()


@HOOKS.register_module()
class BrokenVideoHook(Hook):
    """Report at the end of each training epoch how many videos could not be read, if any.

    The number is that of all processes, a video counted once. Each process logs the names of those
    that it meets, but MMEngine shows the log of the first alone; the report names the others, a
    thousand an epoch at most, and each in one report only.
    """

    priority = 'VERY_LOW'
    most_named = 1000

    def __init__(self) -> None:
        self._named: set[str] = set()

    def after_train_epoch(self, runner: Runner) -> None:
        """Log how many videos all ranks have met that are broken, and the new ones."""
        dataset = runner.train_dataloader.dataset
        if not isinstance(dataset, BrokenVideoPolicy):
            return
        broken = dataset.broken_of_all_ranks()
        if not broken:
            return
        self._named.update(name for name, ours in broken.items() if ours)
        others = [name for name in broken if name not in self._named]
        listed = others[:self.most_named]
        self._named.update(listed)
        message = f'{len(broken)} broken videos skipped so far; each is named above'
        if listed:
            message += ' or is one of these, met by other processes: ' + ', '.join(listed)
        if len(others) > len(listed):
            message += f' and {len(others) - len(listed)} more'
        runner.logger.warning(message)


@HOOKS.register_module()
class BranchFileHook(Hook):
    """Write what was trained, without CLIP, as ``branch_epoch_{n}.pth`` after each epoch.

    The weights are those of the epoch's checkpoint: beside an ``EMAHook`` its average. See
    :func:`mmbt.apis.save_branch`. Where CLIP is trained too, the hook says once that it writes
    nothing.

    Raises:
        ValueError: If nothing of the backbone is trained, before the training.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Refuse a model of which no branch file can be written; warn where CLIP is trained."""
        model = model_of(runner)
        if model.backbone.trunk.frozen:
            trained_weights(model)
        else:
            runner.logger.warning('CLIP is trained too, so no branch files are written; the '
                                  'checkpoints hold the whole model')

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Write ``branch_epoch_N.pth``, with the weights that the checkpoint has."""
        model = model_of(runner)
        if not model.backbone.trunk.frozen:
            return
        path = Path(runner.work_dir, f'branch_epoch_{runner.epoch + 1}.pth')
        with weights_of_checkpoints(runner):
            save_branch(model, path)
        runner.logger.info(f'the branch without CLIP is in {path}')


@HOOKS.register_module()
class ModelCardHook(Hook):
    """Write the model card into checkpoints, and let pipelines follow it.

    Before anything is read, every ``TokenizeText`` of the run gets the text tower's tokenizer, and
    frames and texts are compared with what the CLIP was trained with, see
    :func:`mmbt.datasets.fit_pipeline`. A ``model_card`` in the config, which converted ones have,
    must be the model's. Models without a trunk are let be.

    What a checkpoint's card is compared with on loading is in
    :func:`mmbt.models.checkpoints.checkpoint.check_state_dict`.

    Raises:
        ValueError: If the config's card or a pipeline is of another CLIP, before the run.
        FileNotFoundError: If the tokenizer is on the hub and cannot be had.
    """

    def before_run(self, runner: Runner) -> None:
        """Compare the model with the card of its config, and tell the data of its CLIP."""
        model = model_of(runner)
        if not _has_trunk(model):
            return
        if CARD in runner.cfg:
            check_card(model, runner.cfg[CARD].to_dict(), f'the {CARD} of the config', False)
        trunk = model.backbone.trunk
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            loader = getattr(loop, 'dataloader', None)  # a loop that is not run is a dict
            if loader is not None:
                fit_pipeline(loader.dataset, trunk.card, trunk.text)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Write the model's card into the checkpoint's ``meta``."""
        model = model_of(runner)
        if _has_trunk(model):
            root = model.tuned_parts() if hasattr(model, 'tuned_parts') else model
            checkpoint['meta'][CARD] = model_card(root).to_dict()


def _has_trunk(model: nn.Module) -> bool:
    """Whether a model has a backbone beside a trunk."""
    return hasattr(getattr(model, 'backbone', None), 'trunk')
