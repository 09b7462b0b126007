"""Vision towers of Hugging Face models as trunks: CLIP, and those in LLaVA and InstructBLIP."""
from typing import Any, Callable, Dict, Optional, Union

from mmaction.registry import MODELS
from torch import nn

from .base import Trunk
from .hugging_face_files import load_vision
from .preprocessing import of_folder, settled
from .towers import HFBLIP2, HFCLIP, HFTower, HFVision

# By the names of classes: whether there is a CLIPVisionTransformer depends on the version.
TOWERS: Dict[str, Callable[[HFVision], HFTower]] = {
    'CLIPVisionTransformer': HFCLIP,
    'CLIPVisionModel': HFCLIP,
    'Blip2VisionModel': HFBLIP2,
    'InstructBlipVisionModel': HFBLIP2,
}

# Where a model keeps its vision tower; each may lie within another.
ATTRIBUTES = ('vision_tower', 'vision_model', 'model')


@MODELS.register_module()
class HuggingFaceTrunk(Trunk):
    """The vision tower of a Hugging Face model. It has no text tower, even if the model has one.

    Args:
        model: CLIP, LLaVA, BLIP-2, InstructBLIP, or the vision model of one of them: as a module,
            whose tower is then shared, not copied, and frozen in place; or as a local folder or a
            name on the hub, of which the vision tower alone is read, in fp32.
        frozen: Whether the tower is frozen. Defaults to True.
        depth: Layers of the whole CLIP that the tower is from, such as 40 for the 39 of
            InstructBLIP's EVA. None: those that it has.
        drop_last: How many of these, at the end, are not run: 1 in LLaVA and InstructBLIP.
        preprocess_cfg: ``mean`` and ``std`` of its frames, in 0..1. Defaults to those of the
            folder's ``preprocessor_config.json``, else to OpenAI's CLIP's.
        folder: Where a module is from, for its ``preprocessor_config.json``.

    Raises:
        ValueError: If there is no vision tower that the branch can stand beside, its weights are
            not whole, ``depth`` and ``drop_last`` do not fit it, or ``preprocess_cfg`` says
            otherwise than the folder.
        FileNotFoundError: If the model is neither here nor to be had.
    """

    def __init__(self,
                 model: Union[str, nn.Module],
                 frozen: bool = True,
                 depth: Optional[int] = None,
                 drop_last: int = 0,
                 preprocess_cfg: Optional[Dict[str, Any]] = None,
                 folder: Optional[str] = None) -> None:
        visual = load_vision(model) if isinstance(model, str) else find_vision(model)
        source = model if isinstance(model, str) else folder
        frames = settled(None if source is None else of_folder(source), preprocess_cfg)
        super().__init__(visual, view(visual), None, frozen, depth, drop_last,
                         arch=type(visual.transformer).__name__, preprocessing=frames)


def find_vision(model: nn.Module) -> HFVision:
    """The vision transformer inside a model, and its projection where it has one.

    Raises:
        ValueError: If there is none that serves.
    """
    inner = model
    while True:
        name = next((each for each in ATTRIBUTES if hasattr(inner, each)), None)
        if name is None:
            break
        inner = getattr(inner, name)
    if type(inner).__name__ not in TOWERS:
        raise ValueError(f'no vision tower of CLIP, BLIP-2 or InstructBLIP in a '
                         f'{type(model).__name__}; take one of these models, LLaVA, or the vision '
                         'model of one of them')
    return HFVision(inner, getattr(model, 'visual_projection', None))


def view(visual: HFVision) -> HFTower:
    """How to read the vision tower."""
    return TOWERS[type(visual.transformer).__name__](visual)
