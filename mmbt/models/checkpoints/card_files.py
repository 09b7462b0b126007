"""Model cards of models, which files carry: made on saving, enforced on loading."""
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mmengine.logging import print_log
from torch import nn

from mmbt.files.source import CARD

from ..card import ModelCard, differ, show
from ..fingerprint import stem


def model_card(root: nn.Module) -> ModelCard:
    """The card of a model: its trunk's, with what the model adds.

    Args:
        root: What has a ``backbone``: a :class:`VideoTextModel`, or the tuned parts of a dialogue
            model.
    """
    backbone = root.backbone
    branch = getattr(backbone, 'branch', None)
    rows = getattr(branch if branch is not None else backbone, 'time_embedding', ())
    return replace(backbone.trunk.card, backbone=type(backbone).__name__,
                   num_frames=len(rows) or None, temperature=temperature_of(root),
                    interaction=getattr(branch, 'interaction', None),
                    fingerprint=stem(backbone.trunk.canonical_state()))


def temperature_of(root: nn.Module) -> float | None:
    """The tau of a model's objectives, else of its zero-shot head; None where it has neither."""
    heads = [*getattr(root, 'heads', ()), getattr(root, 'cls_head', None)]
    values = [getattr(head, 'temperature', None) for head in heads]
    return next((float(value) for value in values if value is not None), None)


def check_card(root: nn.Module, told: Any, source: str, same_clip: bool = True) -> None:
    """Refuse what was made beside another CLIP, or with other frames or texts, than the model's.

    Args:
        root: As :func:`model_card` takes it.
        told: The card of a file or a config, as a dict, from whomever.
        source: Where it is from, for errors.
        same_clip: Whether the CLIP itself has to be the same, not only of one kind.

    Raises:
        ValueError: Naming the first difference and what to set.
    """
    ours, theirs = model_card(root), ModelCard.from_dict(told, source)
    for difference in ours.differences(theirs, same_clip):
        raise ValueError(f'{source} {difference}')
    if differ(ours.temperature, theirs.temperature):
        print_log(f'{source} was made with a temperature of {show(theirs.temperature)}, this '
                  f'config says {show(ours.temperature)}', 'current')


def check_source(root: nn.Module, known: Mapping[str, Any], same_clip: bool) -> str:
    """Check the card that a file brings with its weights; a line in the log where it has none.

    Args:
        root: As :func:`model_card` takes it.
        known: What :func:`mmbt.files.source.source_of` tells of the weights.
        same_clip: As :func:`check_card` has it.

    Returns:
        How to call the file in errors.
    """
    source = str(known.get('file', 'the checkpoint'))
    if known.get(CARD) is not None:
        check_card(root, known[CARD], source, same_clip)
    elif 'file' in known:
        print_log(f'{source} has no model card, as files of before 0.2 have none: activation, mean '
                  'and std, resizing and tokenizer are not checked', 'current')
    return source
