"""The parts that MiniGPT-4 is put together from."""
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

import torch
import transformers
from torch import Tensor, nn

from mmbt.safe_load import refusal

from ..trunks.hugging_face_files import must_locate, read, read_json, weight_files
from .loading import from_pretrained, tokenizer_of

PROJECTOR = 'llama_proj'
Model = Union[str, nn.Module]


def language_model_of(model: Model, language_model: Optional[Model], tokenizer: Any,
                      dtype: torch.dtype) -> Tuple[nn.Module, Any]:
    """The language model and its tokenizer.

    Raises:
        ValueError: If one of them is not given.
    """
    if language_model is None:
        if isinstance(model, str):
            raise ValueError('MiniGPT-4 takes its eye and Q-Former alone from a folder of BLIP-2; '
                             'name the folder of Vicuna or LLaMA-2 in language_model')
        language_model = model.language_model
    if isinstance(language_model, str):
        tokenizer = tokenizer or tokenizer_of(language_model)
        return from_pretrained(transformers.AutoModelForCausalLM, language_model, dtype), tokenizer
    if tokenizer is None:
        raise ValueError('a language model that is a module needs its tokenizer too')
    return language_model, tokenizer


def q_former_of(model: Model) -> Tuple[nn.Module, Tensor]:
    """The Q-Former of a BLIP-2 and its (1, Q, width) query tokens, read alone from a folder.

    Raises:
        FileNotFoundError: If there is no such folder or model, or it lacks a file.
        ValueError: If it is another kind of model, or its weights are not whole.
    """
    if not isinstance(model, str):
        return model.qformer, model.query_tokens
    settings = read_json(model, 'config.json')
    if settings.get('model_type') != 'blip-2':
        raise ValueError(f"{model} is no BLIP-2 in Hugging Face's form (model_type "
                         f"{settings.get('model_type')!r})")
    q_former = transformers.Blip2QFormerModel(
        transformers.Blip2QFormerConfig.from_dict(settings['qformer_config']))
    state = part_of(model, ('qformer.', 'query_tokens'))
    if 'query_tokens' not in state:
        raise ValueError(f'{model} holds no query_tokens: is it the folder of a BLIP-2?')
    queries = state.pop('query_tokens')
    try:
        q_former.load_state_dict({name[len('qformer.'):]: value for name, value in state.items()
                                  if not name.endswith('position_ids')})
    except RuntimeError as error:
        line = ' '.join(each.strip() for each in str(error).splitlines()[1:2])
        raise ValueError(f'{model}: the weights of the Q-Former do not fit its config.json: '
                         f'{line}') from error
    return q_former, queries


def part_of(model: str, beginnings: Tuple[str, ...]) -> Dict[str, Tensor]:
    """The weights of a folder whose names begin so."""
    files = weight_files(model)
    names = [name for name in files if name.startswith(beginnings)]
    state: Dict[str, Tensor] = {}
    for file in {files[name] for name in names}:
        state.update(read(must_locate(model, file), [n for n in names if files[n] == file]))
    return state


def load_projector(model: Model, path: Optional[str], width: int, hidden: int) -> nn.Module:
    """The linear layer to the language model.

    Args:
        model: Where it is taken from if there is no file.
        path: The file as published, ``{'model': {'llama_proj.weight': ...}}`` or its inside.
        width: Channels of the Q-Former.
        hidden: Channels of the language model.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If there is none in it, it is of other sizes, or the file holds code.
    """
    if path is None:
        if isinstance(model, str):
            raise ValueError("MiniGPT-4 needs its own layer: name the published file in projector")
        return model.language_projection
    if not Path(path).is_file():
        raise FileNotFoundError(f'projector {path} is missing')
    try:
        state = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        raise ValueError(refusal(path, str(error))) from error
    state = state.get('model', state)
    weight, bias = (state.get(f'{PROJECTOR}.{part}') for part in ('weight', 'bias'))
    if weight is None or bias is None or tuple(weight.shape) != (hidden, width):
        found = None if weight is None else tuple(weight.shape)
        raise ValueError(f'{path} holds no {PROJECTOR} of ({hidden}, {width}) with its bias, but '
                         f'{found}; is it the one of this language model?')
    layer = nn.Linear(width, hidden)
    layer.load_state_dict(dict(weight=weight, bias=bias))
    return layer
