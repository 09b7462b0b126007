"""LLaVA v1 in its authors' form, whose CLIP at 224 pixels is the one that the branch is for."""
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import transformers
from mmaction.registry import MODELS
from torch import Tensor, nn

from mmbt.models import HuggingFaceTrunk
from mmbt.models.checkpoints.branch_file import load_branch
from mmbt.models.families.hugging_face_check import one_line
from mmbt.models.families.hugging_face_files import part_of, read_json

from .base import VideoDialogue
from .linear import linear_of, load_tensors
from .loading import build_backbone, dtype_of, from_pretrained, tokenizer_of
from .templates import TEMPLATES, Template
from .video_tokens import VideoTokens

PROJECTOR = 'model.mm_projector'
TOWER = 'openai/clip-vit-large-patch14'


@MODELS.register_module()
class LLaVAV1Dialogue(VideoDialogue):
    """BT-Adapter-LLaVA of the paper: LLaVA v1, whose CLIP-L/14 the branch was trained beside.

    A folder of LLaVA v1 holds a language model and a projector. CLIP lies elsewhere, and its last
    layer is not run. The name that its config.json gives the model, ``llava``, is also that of
    another form in transformers; see :class:`LLaVADialogue` for that.

    Args:
        model: The folder, with ``mm_vision_tower`` in its config.json.
        backbone: Config of the video backbone, without its trunk; ``dict(type='FrameMean')`` is
            LLaVA itself on each frame.
        branch: A branch file, see :func:`mmbt.apis.save_branch`; one of instruction tuning brings
            the projector too. None leaves the branch as built.
        vision: CLIP: a folder or name on the hub, or a module. Defaults to OpenAI's ViT-L/14.
        projector: A file with a projector trained since, such as ``mm_projector.bin`` of the
            authors' instruction tuning. None takes the folder's.
        tokenizer: None takes the folder's own.
        template: How it is asked. Defaults to LLaVA v1's. ``<im_start>`` and ``<im_end>`` are put
            around the video where the model was trained so.
        combination: How branch and CLIP are joined, see :class:`VideoTokens`.
        pooling: What is left of T x N tokens, likewise.
        cls: Where the CLS stands. LLaVA has none (None); the authors' instruction tuning had it
            ``'last'``.
        dtype: Precision of the weights, such as ``'float16'``. Defaults to float32.
        generation: Defaults for ``generate``.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If the folder is no LLaVA v1, weights are missing or do not fit, a file holds
            code, or the branch does not belong to the CLIP.
    """

    def __init__(self,
                 model: str,
                 backbone: dict,
                 branch: str | None = None,
                 vision: str | nn.Module = TOWER,
                 projector: str | None = None,
                 tokenizer: Any = None,
                 template: str | Template = 'llava_v1',
                 combination: str = 'weighted',
                 pooling: str = 'time',
                 cls: str | None = None,
                 dtype: str | None = None,
                 generation: dict | None = None) -> None:
        precision = dtype_of(dtype, model)
        settings = read_json(model, 'config.json')
        if 'mm_vision_tower' not in settings:
            raise ValueError(f"{model} is no LLaVA in its authors' form: its config.json has no "
                             'mm_vision_tower; LLaVADialogue takes Hugging Face\'s form')
        layer = settings.get('mm_vision_select_layer')
        if type(layer) is not int:
            raise ValueError(f'{model}: mm_vision_select_layer of its config.json is {layer!r}, no '
                             'layer')
        with one_line(model, 'no LLaMA can be built of its config.json'):
            config = transformers.LlamaConfig.from_dict({**settings, 'model_type': 'llama'})
        language_model = from_pretrained(transformers.LlamaForCausalLM, model, precision,
                                         config=config)
        trunk = HuggingFaceTrunk(vision, drop_last=-layer - 1)
        tokens = VideoTokens(build_backbone(backbone, trunk), combination, pooling, cls)
        if isinstance(template, str) and template in TEMPLATES:
            template = TEMPLATES[template]
        if isinstance(template, Template) and settings.get('mm_use_im_start_end', False):
            first = template.first.replace('{video}', '<im_start>{video}<im_end>')
            template = replace(template, first=first)
        super().__init__(tokens.to(precision), language_model, tokenizer or tokenizer_of(model),
                         template, generation)
        state = part_of(model, (PROJECTOR, )) if projector is None else load_tensors(projector)
        layer = linear_of(state, PROJECTOR, trunk.width, language_model.config.hidden_size,
                          projector or model)
        self.projector = layer.to(precision).requires_grad_(False)
        if branch is not None:
            load_branch(self, branch)

    def project(self, tokens: Tensor, questions: Sequence[str]) -> Tensor:
        """(B, n, D) tokens of the videos -> (B, n, H), each token by itself."""
        return self.projector(tokens)
