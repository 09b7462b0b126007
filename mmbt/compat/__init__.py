"""Close the gaps between the upstream releases that mmbt runs on.

One function for each breakage, with its upstream link. Each leaves upstream alone where upstream
works, may be called twice, and is undone by deleting its line in :func:`apply`.
"""
from . import checkpoints, imports, running


def apply() -> None:
    """Close every gap. ``import mmbt`` calls it before anything of mmaction2 is imported."""
    imports.check_versions()
    imports.silence_harmless_warnings()
    imports.supply_drn_localizer()
    imports.restore_transformers_names()
    checkpoints.guard_checkpoints()
    checkpoints.check_what_is_resumed()
    checkpoints.refuse_configs_in_checkpoints()
    running.launch_without_gpu()
    running.wrap_models_on_cpu()
    running.allow_amp_on_cpu()
    running.turn_hue_under_numpy_2()
    checkpoints.write_checkpoints_whole()
    checkpoints.find_checkpoints_that_are_there()
    running.log_any_name()
    running.format_configs_once()
