"""Whether a training moved what it was to move: the rate, the gates, W_t."""

import numpy as np
from mmengine.runner import Runner
from torch import Tensor, nn

from mmbt.models.branch import TemporalBlock
from mmbt.models.gates import Gate

BEGAN = 'gates_and_projections_at_the_start'  # in MMEngine's message hub, which checkpoints hold
SAMPLE = 1024
"""Numbers of a weight that are kept, at most about."""

# What counts as standing still.
SHARE, SCALE = 1e-3, 1e-2
LOW, IDLE = 0.01, 0.25

REMEDY = ('raise optim_wrapper.optimizer.lr, train longer, or give these weights a rate of their '
          'own as configs/pretrain_webvid_released.py does')


def remember_start(runner: Runner, model: nn.Module) -> None:
    """Keep where the gates and W_t begin; of a resumed run, where it began."""
    if BEGAN not in runner.message_hub.runtime_info:
        runner.message_hub.update_info(BEGAN, marks(model))


def marks(model: nn.Module) -> dict[str, Tensor]:
    """Some numbers of each trained gate (``gate``) and W_t (``W_t``), by kind and place."""
    backbone = getattr(model, 'backbone', None)
    found = {}
    for name, module in backbone.named_modules() if backbone is not None else ():
        if isinstance(module, Gate):
            kind, weight = 'gate', module.weight
        elif isinstance(module, TemporalBlock) and isinstance(module.temporal_fc, nn.Linear):
            kind, weight = 'W_t', module.temporal_fc.weight
        else:
            continue
        if weight.requires_grad:
            step = max(weight.numel() // SAMPLE, 1) | 1  # odd: not the same column of each row
            found[f'{kind} {name}'] = weight.detach().flatten()[::step].float().cpu().clone()
    return found


def standing_still(runner: Runner, model: nn.Module) -> list[str]:
    """One line for each thing that ended where it began, and what to do."""
    began, ended = runner.message_hub.runtime_info.get(BEGAN, {}), marks(model)
    pairs = {name: (began[name], ended[name]) for name in ended if name in began}
    gates = [pair for name, pair in pairs.items() if name.startswith('gate ')]
    layers = [(pair, getattr(model.backbone.trunk, 'width', 1)) for name, pair in pairs.items()
              if name.startswith('W_t ')]
    return [*idle_rate(runner), *still_gates(gates), *still_projections(layers)]


def idle_rate(runner: Runner) -> list[str]:
    """A rate that never came near what was asked for, or lay idle for much of the run."""
    history = runner.message_hub.log_scalars.get('train/lr')
    if history is None or not len(history.data[0]):
        return []
    rates = np.asarray(history.data[0])
    asked = runner.optim_wrapper.param_groups[0].get('initial_lr', rates.max())
    if rates.max() < asked / 2:
        return [f'the learning rate never passed {100 * rates.max() / asked:.2g} % of {asked:.3g} '
                f'in {len(rates)} iterations: its warm-up is longer than the run; make it a share '
                "of the run with param_scheduler=dict(type='WarmUpCosineLR', by_epoch=False)"]
    idle = int((rates < LOW * rates.max()).sum())
    if idle > IDLE * len(rates):
        return [f'the learning rate lay below 1 % of its height in {idle} of {len(rates)} '
                'iterations: its schedule is not as long as the run; make it a share of the run '
                "with param_scheduler=dict(type='WarmUpCosineLR', by_epoch=False)"]
    return []


def still_gates(gates: list) -> list[str]:
    """Gates of which no channel's share has moved."""
    moved = max((float((end.sigmoid() - start.sigmoid()).abs().max()) for start, end in gates),
                default=1.)
    if moved >= SHARE:
        return []
    return [f"the gates ended where they began: the branch's share moved by {moved:.1g} at most; "
            + REMEDY]


def still_projections(layers: list) -> list[str]:
    """W_t that have moved by less than a hundredth of what a layer of their width starts with."""
    moved = max((float((end - start).square().mean().sqrt()) * width**0.5
                 for (start, end), width in layers), default=1.)
    if moved >= SCALE:
        return []
    return ['W_t ended where it began, so that the branch sees the frames one by one: it moved by '
            f"{100 * moved:.1g} % of a layer's size; " + REMEDY]
