"""The parts that MiniGPT-4 is put together from."""
from typing import Any, TypeAlias

import transformers
from torch import Tensor, nn

from mmbt.models.families.hugging_face_check import check_weights_fit, one_line
from mmbt.models.families.hugging_face_files import part_of, read_json

from .linear import linear_of
from .loading import dtype_of, from_pretrained, tokenizer_of

PROJECTOR = 'llama_proj'
Model: TypeAlias = str | nn.Module


def check_kind(model: Model, kind: Any) -> None:
    """Refuse a model of another class of transformers, or a folder of one.

    Raises:
        FileNotFoundError: If there is no such folder or model.
        ValueError: If it is another.
    """
    if isinstance(model, str):
        found = read_json(model, 'config.json').get('model_type')
        if found != kind.config_class.model_type:
            raise ValueError(f"{model} is no {kind.config_class.model_type} in Hugging Face's form "
                             f'(model_type {found!r})')
    elif not isinstance(model, kind):
        raise ValueError(f'a {type(model).__name__} is no {kind.__name__}')


def check_parts(model: Model, language_model: Model | None, projector: str | None) -> None:
    """Refuse what MiniGPT-4 cannot be put together from, before gigabytes are read.

    Raises:
        FileNotFoundError: If there is no such folder or model.
        ValueError: If it is no BLIP-2, or a part is not named.
    """
    check_kind(model, transformers.Blip2ForConditionalGeneration)
    if isinstance(model, str) and language_model is None:
        raise ValueError('MiniGPT-4 takes its eye and Q-Former alone from a folder of BLIP-2; '
                         'name the folder of Vicuna or LLaMA-2 in language_model')
    if isinstance(model, str) and projector is None:
        raise ValueError('MiniGPT-4 needs its own layer: name the published file in projector')


def language_model_of(model: Model, language_model: Model | None, tokenizer: Any,
                      dtype: str | None) -> tuple[nn.Module, Any]:
    """The language model and its tokenizer.

    Raises:
        FileNotFoundError: If one of them is not to be had.
        ValueError: If a module comes without its tokenizer.
    """
    if language_model is None:
        assert not isinstance(model, str)  # check_parts has seen to it
        language_model = model.language_model
    if isinstance(language_model, str):
        tokenizer = tokenizer or tokenizer_of(language_model)
        return from_pretrained(transformers.AutoModelForCausalLM, language_model,
                               dtype_of(dtype, language_model)), tokenizer
    if tokenizer is None:
        raise ValueError('a language model that is a module needs its tokenizer too')
    return language_model, tokenizer


def q_former_of(model: Model) -> tuple[nn.Module, Tensor]:
    """The Q-Former of a BLIP-2 and its (1, Q, width) query tokens, read alone from a folder.

    Raises:
        FileNotFoundError: If the folder lacks a file.
        ValueError: If the weights are not whole.
    """
    if not isinstance(model, str):
        return model.qformer, model.query_tokens
    settings = read_json(model, 'config.json')
    with one_line(model, 'no Q-Former can be built of its config.json'):
        check_weights_fit(model, settings.get('qformer_config', {}))
        q_former = transformers.Blip2QFormerModel(
            transformers.Blip2QFormerConfig.from_dict(settings.get('qformer_config', {})))
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


def projector_of(model: Model, state: dict[str, Tensor] | None, source: str | None,
                 width: int, hidden: int) -> nn.Module:
    """The linear layer to the language model.

    Args:
        model: Where it is taken from if there is no file.
        state: What the file holds, or None.
        source: The file, for errors.
        width: Channels of the Q-Former.
        hidden: Channels of the language model.

    Raises:
        ValueError: If there is none in the file, or it is of other sizes.
    """
    if state is not None:
        assert source is not None
        return linear_of(state, PROJECTOR, width, hidden, source)
    assert not isinstance(model, str)  # check_parts has seen to it
    layer = model.language_projection
    if (layer.out_features, layer.in_features) != (hidden, width):
        raise ValueError(f'the projection of this {type(model).__name__} has {layer.out_features} '
                         f'channels and the language model {hidden}; name the file of its own in '
                         'projector')
    return layer
