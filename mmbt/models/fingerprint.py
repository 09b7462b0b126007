"""Telling whether a frozen CLIP is the one that a branch was trained beside.

A hash would tell CLIP in half precision from itself in full, and open_clip's file from Hugging
Face's. A fingerprint keeps a few sums of every weight under names that no library decides: casts
move them by about 0.1 %, other weights by about 140 %.
"""
from collections.abc import Mapping

import torch
from torch import Tensor

COLUMNS = 13  # prime, so that the sums cut across heads and patches
TOLERANCE = 0.01
STEM = ('patch_embedding.weight', 'cls_token', 'position_embedding')  # every tower has them


def fingerprint(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The marks of a CLIP's weights.

    Args:
        state: All weights that it runs, as :meth:`mmbt.models.Trunk.canonical_state` gives them.

    Returns:
        For each weight (14,) float32: its root mean square, and 13 sums over every 13th value,
        divided by the square root of how many values they add up.
    """
    return {name: marks(value) for name, value in state.items() if value.is_floating_point()}


def stem(state: Mapping[str, Tensor]) -> tuple[float, ...] | None:
    """The 14 marks of what stands before the first layer, taken as one weight.

    They name a CLIP where all marks are too many. None where weights are shapes alone.

    Args:
        state: As :func:`fingerprint` takes it.
    """
    values = torch.cat([state[name].detach().flatten() for name in STEM if name in state])
    if values.is_meta:
        return None
    return tuple(float(f'{value:.6g}') for value in marks(values).tolist())


def marks(weight: Tensor) -> Tensor:
    """The marks of one weight, see :func:`fingerprint`."""
    values = weight.detach().flatten().double()
    rms = values.square().mean().sqrt()
    padded = torch.nn.functional.pad(values, (0, -len(values) % COLUMNS))
    sums = padded.view(-1, COLUMNS).sum(dim=0) / (len(values) / COLUMNS)**0.5
    return torch.cat([rms[None], sums]).float().cpu()


def distance(ours: Tensor, theirs: Tensor) -> float:
    """How far apart two weights' marks are, 0 for the same and about 1.4 for unrelated ones."""
    ours, theirs = ours.double(), theirs.double()
    scale = max(float(m.square().mean().sqrt()) for m in (ours, theirs))
    return float((ours - theirs).square().mean().sqrt()) / scale if scale else 0.


def first_difference(state: Mapping[str, Tensor], recorded: Mapping[str, Tensor]) -> str | None:
    """The first weight of a CLIP that is not what was recorded, None where all are.

    It may run fewer layers than were recorded, as in dialogue models, and no more.

    Args:
        state: As :func:`fingerprint` takes it.
        recorded: What :func:`fingerprint` gave.
    """
    for name, own in fingerprint(state).items():
        if name not in recorded:
            return f'{name}, which the other CLIP lacks'
        if recorded[name].shape != own.shape:
            return f'the marks of {name}, which are {tuple(recorded[name].shape)} there'
        apart = distance(own, recorded[name])
        if not apart <= TOLERANCE:
            return f'{name}, by {100 * apart:.0f} %'
    return None
