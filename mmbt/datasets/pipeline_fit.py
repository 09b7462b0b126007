"""Validate a pipeline: whether it makes frames and texts as the CLIP behind it was trained with."""
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mmbt.models.tokenizer import TokenizerSpec

from .transforms import TokenizeText

if TYPE_CHECKING:
    from mmbt.models.card import ModelCard

SHORTEST, SQUASH = 'shortest', 'squash'
# Of MMAction2's transforms, by name; subclasses of other projects are not judged.
RANDOM = ('RandomCrop', 'RandomResizedCrop', 'MultiScaleCrop')
CROPS = ('CenterCrop', 'ThreeCrop', 'TenCrop')


class Text(Protocol):
    """What of a text tower counts here."""

    tokenizer: TokenizerSpec

    def tokenize(self, texts: Sequence[str], context_length: int | None = None) -> Any:
        """Token ids that the tower has found to be its own."""


def transforms_of(source: Any) -> Iterator[Any]:
    """The transforms of a data set, of those that it wraps, or of a pipeline, in their order."""
    if source is None or isinstance(source, (str, dict)):
        return
    if isinstance(source, Sequence):
        for each in source:
            yield from transforms_of(each)
        return
    inner = [getattr(source, name, None)
             for name in ('pipeline', 'transforms', 'dataset', 'datasets')]
    if not hasattr(source, '__len__') and hasattr(source, 'transform'):
        yield source  # a transform, perhaps of others
    for each in inner:
        yield from transforms_of(each)


def fit_pipeline(source: Any, card: 'ModelCard', text: Text | None = None) -> None:
    """Give every ``TokenizeText`` the text tower's tokenizer, and refuse what does not fit.

    Args:
        source: A data set, built, or a pipeline's transforms.
        card: What the CLIP was trained with.
        text: Its text tower, where there is one.

    Raises:
        ValueError: If the frames' size, how they are resized, the tokenizer or its context is
            another than the CLIP's, or the frames are normalised before their time.
        FileNotFoundError: If the tokenizer is on the hub and cannot be had.
    """
    transforms = list(transforms_of(source))
    for step in transforms:
        if isinstance(step, TokenizeText) and text is not None:
            fit_text(step, card, text)
        elif type(step).__name__ == 'Normalize':
            raise ValueError('the pipeline has Normalize, and the model normalises the frames '
                             'itself: leave Normalize out')
    fit_frames(transforms, card)


def fit_text(step: TokenizeText, card: 'ModelCard', text: Text) -> None:
    """Give a ``TokenizeText`` the tokenizer, and try it; as :func:`fit_pipeline`."""
    if step.says is not None and step.says != card.tokenizer:
        raise ValueError(f'TokenizeText says arch={step.arch!r}, whose tokenizer is {step.says}, '
                         f'and that of the CLIP ({card.arch}) is {card.tokenizer}: leave arch out')
    if card.context_length is not None and step.context_length > card.context_length:
        raise ValueError(f'TokenizeText says context_length={step.context_length}, and the text '
                         f'tower takes {card.context_length} tokens at most')
    text.tokenize(['a', 'a man opens a door'], step.context_length)
    step.tokenizer = text.tokenizer.build()


def fit_frames(transforms: Iterable[Any], card: 'ModelCard') -> None:
    """Refuse frames of another size, or resized otherwise; as :func:`fit_pipeline`."""
    size, modes = frames_of(transforms)
    if size is not None and card.image_size is not None and size != card.image_size:
        raise ValueError('the pipeline makes frames of {} x {} pixels (height x width), and the '
                         'CLIP ({}) takes {} x {}: set the sizes of Resize and CenterCrop'.format(
                             *size, card.arch, *card.image_size))
    if card.image_size is None or card.resize_mode is None or not modes:
        return
    if card.resize_mode not in modes:
        height, width = card.image_size
        steps = {
            SQUASH: f"dict(type='Resize', scale=({width}, {height}), keep_ratio=False), no crop",
            SHORTEST: f"dict(type='Resize', scale=(-1, {max(height, width)})), "
                      f"dict(type='CenterCrop', crop_size={width})",
        }
        raise ValueError(f'the pipeline resizes by {modes[0]!r}, and the CLIP ({card.arch}) was '
                         f'trained on frames resized by {card.resize_mode!r}: set '
                         f"{steps.get(card.resize_mode, 'the Resize of its training')}")


def frames_of(transforms: Iterable[Any]) -> tuple[tuple[int, int] | None, list[str]]:
    """The (height, width) that a pipeline ends with, and the ways of resizing that it may be.

    None and no ways where it cannot be told; a random crop may be any way.
    """
    size: tuple[int, int] | None = None
    modes: list[str] = []
    kept = False
    for step in transforms:
        kind = type(step).__name__
        if kind == 'Resize':
            scale = step.scale if isinstance(step.scale, tuple) else ()
            kept = step.keep_ratio
            known = not kept and len(scale) == 2 and all(map(math.isfinite, scale))
            size = (int(scale[1]), int(scale[0])) if known else None
            if known and modes != ['random']:
                modes = [SQUASH]
        elif kind in RANDOM or kind in CROPS:
            crop = next((getattr(step, name) for name in ('crop_size', 'input_size', 'size')
                         if hasattr(step, name)), None)
            crop = (crop, crop) if isinstance(crop, int) else crop
            size = (int(crop[1]), int(crop[0])) if crop is not None else None
            modes = ['random'] if kind in RANDOM else [SHORTEST] if kept else modes
    return size, [] if modes == ['random'] else modes
