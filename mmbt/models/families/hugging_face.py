"""Vision towers of Hugging Face models as trunks: CLIP, and those in LLaVA and InstructBLIP."""
from typing import Any

from mmaction.registry import MODELS
from torch import Tensor, nn

from ..trunk import Trunk
from ..vit import VisionTransformer, ViTOptions
from .hugging_face_files import PROJECTION, load_vision
from .names import HF_BLIP2, HF_CLIP
from .preprocessing import of_folder, settled

# By the names of classes: whether there is a CLIPVisionTransformer depends on the version.
NAMES = {
    'CLIPVisionTransformer': HF_CLIP,
    'CLIPVisionModel': HF_CLIP,
    'Blip2VisionModel': HF_BLIP2,
    'InstructBlipVisionModel': HF_BLIP2,
}
SERVED = ('gelu', 'quick_gelu')  # activations

# Where a model keeps its vision tower; each may lie within another.
ATTRIBUTES = ('vision_tower', 'vision_model', 'model')


@MODELS.register_module()
class HuggingFaceTrunk(Trunk):
    """The vision tower of a Hugging Face model. It has no text tower, even if the model has one.

    Args:
        model: CLIP, LLaVA, BLIP-2, InstructBLIP, or the vision model of one of them: as a module,
            whose tower is copied, in its precision; or as a local folder or a name on the hub, of
            which the vision tower alone is read, in fp32.
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
                 model: str | nn.Module,
                 frozen: bool = True,
                 depth: int | None = None,
                 drop_last: int = 0,
                 preprocess_cfg: dict[str, Any] | None = None,
                 folder: str | None = None) -> None:
        of_file = isinstance(model, str)
        inner, projection = load_vision(model) if of_file else find_vision(model)
        source = model if of_file else folder
        frames = settled(None if source is None else of_folder(source), preprocess_cfg)
        super().__init__(vision_transformer(inner, projection, copy=not of_file), None, frozen,
                         depth, drop_last, arch=type(inner).__name__, preprocessing=frames)


def find_vision(model: nn.Module) -> tuple[nn.Module, Tensor | None]:
    """The vision transformer inside a model, and the weight of its projection where it has one.

    Raises:
        ValueError: If there is none that serves.
    """
    inner = model
    while True:
        name = next((each for each in ATTRIBUTES if hasattr(inner, each)), None)
        if name is None:
            break
        inner = getattr(inner, name)
    if type(inner).__name__ not in NAMES:
        raise ValueError(f'no vision tower of CLIP, BLIP-2 or InstructBLIP in a '
                         f'{type(model).__name__}; take one of these models, LLaVA, or the vision '
                         'model of one of them')
    projection = getattr(model, 'visual_projection', None)
    return inner, None if projection is None else projection.weight


def vision_transformer(inner: nn.Module, projection: Tensor | None, copy: bool) -> \
        VisionTransformer:
    """Ours with the weights of a vision transformer of transformers.

    Args:
        inner: The library's.
        projection: (E, D), into the joint space.
        copy: Whether the library's is used on, so that its weights have to be copied.

    Raises:
        ValueError: If it has an activation that the branch has not, or an attention without bias.
    """
    state = dict(inner.state_dict())
    if projection is not None:
        state[PROJECTION] = projection.detach()
    names = NAMES[type(inner).__name__]
    ours = VisionTransformer.from_state(options_of(inner, projection), state, names.translate)
    if copy:
        for parameter in ours.parameters():
            parameter.data = parameter.data.clone()
    return ours


def options_of(inner: nn.Module, projection: Tensor | None) -> ViTOptions:
    """What a vision transformer of transformers is made of.

    Arguments as in :func:`vision_transformer`. EVA's in BLIP-2 has no projection, and no layer norm
    before the first layer; its last norm came with its Q-Former, it is not EVA-CLIP's.

    Raises:
        ValueError: As there.
    """
    config, layer = inner.config, inner.encoder.layers[0]
    plain = NAMES[type(inner).__name__] is HF_CLIP
    if config.hidden_act not in SERVED:
        raise ValueError(f'the vision tower has the activation {config.hidden_act!r}; the '
                         f"branch knows {', '.join(SERVED)}")
    if not plain and layer.self_attn.qkv.bias is None:
        raise ValueError("the vision tower's attention has no bias (qkv_bias=False); take an "
                         'EVA as in BLIP-2')
    return ViTOptions(
        width=config.hidden_size,
        num_layers=len(inner.encoder.layers),
        num_heads=config.num_attention_heads,
        mlp_width=config.intermediate_size,
        image_size=(config.image_size, config.image_size),
        patch_size=(config.patch_size, config.patch_size),
        embed_dim=None if projection is None else len(projection),
        activation=config.hidden_act,
        eps=layer.layer_norm1.eps,
        patch_bias=not plain,
        pre_norm=plain)
