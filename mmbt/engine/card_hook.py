"""The model card of a run: written with every checkpoint, and the data held to it."""

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from mmbt.datasets.pipeline_fit import fit_pipeline
from mmbt.files.source import CARD
from mmbt.models.checkpoints.card_files import check_card, model_card

from .hooks import model_of


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
        model = model_of(runner)
        if not has_trunk(model):
            return
        if CARD in runner.cfg:
            check_card(model, runner.cfg[CARD].to_dict(), f'the {CARD} of the config', False)
        trunk = model.backbone.trunk
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            loader = getattr(loop, 'dataloader', None)  # a loop that is not run is a dict
            if loader is not None:
                fit_pipeline(loader.dataset, trunk.card, trunk.text)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        model = model_of(runner)
        if has_trunk(model):
            root = model.tuned_parts() if hasattr(model, 'tuned_parts') else model
            checkpoint['meta'][CARD] = model_card(root).to_dict()


def has_trunk(model: nn.Module) -> bool:
    """Whether a model has a backbone beside a trunk."""
    return hasattr(getattr(model, 'backbone', None), 'trunk')
