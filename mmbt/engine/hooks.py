"""Hooks of training and evaluation."""
from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class ClassPromptHook(Hook):
    """Compute the class names' text features before each evaluation of zero-shot recognition."""

    def before_val(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.set_classes()

    before_test = before_val


@HOOKS.register_module()
class BrokenVideoHook(Hook):
    """Report at the end of each training epoch how many videos could not be read, if any."""

    priority = 'VERY_LOW'

    def after_train_epoch(self, runner: Runner) -> None:
        dataset = runner.train_dataloader.dataset
        count = getattr(dataset, 'num_broken', None)
        if count:
            runner.logger.warning(f'{count} broken videos skipped so far; each is named above')
