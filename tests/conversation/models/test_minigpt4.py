"""MiniGPT-4 on one frame is transformers' BLIP-2 with a LLaMA; and how it is put together."""
import json
import re
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from ...models.test_video_text import Malice
from ...support.tiny_towers import inner_transformer
from .folders import hf_folder, language_folder, language_model, minigpt4_layer
from .tiny_dialogue import BRANCH, blip2, ids, tokenizer, videos
from .tiny_q_former import (
    FRAME_MEAN,
    IMAGE,
    QUERIES,
    SIZE,
    inputs,
    lengths_of_answers,
    logits,
    minigpt4_dialogue,
    refused,
    saying_nothing_but,
)

SYSTEM = ('Give the following image: <Img>ImageContent</Img>. You will be able to see the image '
          'once I provide it to you. Please answer my questions.')
PROMPTS = {
    'minigpt4_vicuna': (ids(SYSTEM + '###Human: <Img>'), ids('</Img> who?###Assistant: ')),
    'minigpt4_llama2': (ids(SYSTEM) + [1] + ids('[INST] <Img>'), ids('</Img> who? [/INST] ')),
}
every_template = pytest.mark.parametrize('template', PROMPTS)


@pytest.fixture
def frame():
    """Two videos of one frame, on which nothing is left of MiniGPT-4 to be pooled."""
    return videos(SIZE)[:, :1]


def minigpt4():
    """BLIP-2 with the epsilon of MiniGPT-4's norm."""
    model = blip2()
    inner_transformer(model).post_layernorm.eps = 1e-5
    return model


def native_arguments(imgs, template):
    """What transformers' BLIP-2 is called with for the prompt that asks who."""
    before, after = PROMPTS[template]
    prompt = torch.tensor([[1] + before + [IMAGE] * QUERIES + after])
    return dict(pixel_values=imgs[:, 0], input_ids=prompt, attention_mask=torch.ones_like(prompt))


@torch.no_grad()
def native(model, imgs, template='minigpt4_vicuna'):
    """transformers' own forward."""
    return model(**native_arguments(imgs, template))


def test_one_frame_is_what_transformers_tower_returns_with_the_epsilon_of_minigpt_4(frame):
    own, dialogue = blip2(), minigpt4_dialogue()
    tower = inner_transformer(own)
    tokens = dialogue.tokens(frame)
    assert (tower.post_layernorm.eps, tower.encoder.layers[0].layer_norm1.eps) == (1e-6, 1e-6)
    assert (own.vision_model(frame[:, 0]).last_hidden_state - tokens).abs().max() > 1e-8
    tower.post_layernorm.eps = 1e-5
    torch.testing.assert_close(own.vision_model(frame[:, 0]).last_hidden_state, tokens,
                               rtol=0, atol=1e-12)


def test_the_q_former_reads_one_frame_as_in_transformers(frame):
    own, dialogue = minigpt4(), minigpt4_dialogue()
    found = native(own, frame[:1]).qformer_outputs.last_hidden_state
    tokens = dialogue.tokens(frame[:1])
    projected = dialogue.project(tokens, ['who?'])
    torch.testing.assert_close(projected, own.language_projection(found), rtol=0, atol=1e-10)
    assert torch.equal(projected, dialogue.project(tokens, ['another question']))


@every_template
def test_the_prompt_by_hand(template, frame):
    dialogue = minigpt4_dialogue(template=template)
    before, after = PROMPTS[template]
    embeds, mask = inputs(dialogue, frame[:1], ['who?'])
    weight = dialogue.language_model.get_input_embeddings().weight
    video = dialogue.project(dialogue.tokens(frame[:1]), ['who?'])[0]
    assert torch.equal(embeds[0], torch.cat([weight[[1] + before], video, weight[after]]))
    assert mask.all()


@every_template
def test_logits_and_answers_are_those_of_transformers(template, frame):
    own, dialogue = minigpt4(), minigpt4_dialogue(template=template)
    torch.testing.assert_close(logits(dialogue, frame[:1], ['who?']),
                               native(own, frame[:1], template).logits[:, -1], rtol=0, atol=1e-8)
    settings = dict(do_sample=False, max_new_tokens=8, min_new_tokens=8)
    tokens = own.generate(**native_arguments(frame[:1], template), **settings)[0, -8:]
    answer, = dialogue.generate(frame[:1], ['who?'], **settings)
    assert answer == tokenizer().decode(tokens, skip_special_tokens=True).strip()
    assert len(answer) > 4


def test_an_answer_ends_where_a_human_would_speak(frame):
    """Of an answer of nothing but ``#``, three are its end, and no part of it."""
    hash_mark, = ids('#')
    dialogue = minigpt4_dialogue()
    lengths = lengths_of_answers(dialogue)
    only = saying_nothing_but(hash_mark)
    assert dialogue.generate(frame, ['who?', 'why?'], **only) == ['', ''] and lengths == [3]
    other = minigpt4_dialogue(template='minigpt4_llama2')
    assert other.generate(frame[:1], ['who?'], **only) == ['#' * 9]


# --- put together from folders


@pytest.fixture
def parts(tmp_path):
    """Arguments that name a BLIP-2 and a language model in folders, and a layer in a file."""
    hf_folder(blip2(), tmp_path / 'blip2')
    language_folder(tmp_path / 'llama')
    minigpt4_layer(tmp_path / 'layer.pth')
    return dict(model=str(tmp_path / 'blip2'), language_model=str(tmp_path / 'llama'),
                projector=str(tmp_path / 'layer.pth'), tokenizer=None)


def whole(layer):
    """The same as one module, in single precision."""
    model = blip2().float()
    model.language_model = language_model(seed=4)
    model.language_projection = layer
    return model


def assert_same(ours, expected, imgs):
    """Two models are the same to the last bit."""
    questions = ['who?', 'what is it?']
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    for one, other in zip(inputs(ours, imgs, questions), inputs(expected, imgs, questions)):
        assert torch.equal(one, other)
    assert torch.equal(logits(ours, imgs, questions), logits(expected, imgs, questions))


def sharded(folder):
    shutil.rmtree(folder)
    blip2().float().save_pretrained(folder, max_shard_size='10KB')
    assert len(list(folder.glob('*.safetensors'))) > 3


def pickled(folder):
    """As of old, when position numbers were in files too."""
    state = load_file(folder / 'model.safetensors')
    state['qformer.embeddings.position_ids'] = torch.arange(10)[None]
    torch.save(state, folder / 'pytorch_model.bin')
    (folder / 'model.safetensors').unlink()


def with_t5(folder):
    """Its language model is another, of which there is no weight."""
    state = {name: value for name, value in load_file(folder / 'model.safetensors').items()
             if not name.startswith(('language_model.', 'language_projection.'))}
    save_file(state, folder / 'model.safetensors', metadata=dict(format='pt'))
    settings = json.loads((folder / 'config.json').read_text())
    settings['text_config'] = transformers.T5Config().to_dict()
    (folder / 'config.json').write_text(json.dumps(settings))


@pytest.mark.parametrize('change', [None, sharded, pickled, with_t5])
def test_folders_are_the_module(change, parts, tmp_path, frame):
    if change:
        change(tmp_path / 'blip2')
    ours = minigpt4_dialogue(**parts)
    expected = minigpt4_dialogue(model=whole(minigpt4_layer(tmp_path / 'same.pth')))
    assert_same(ours, expected, frame.float())
    assert ours.tokenizer('ab').input_ids == [1] + ids('ab')


def test_the_inside_of_a_projector_s_file_and_modules_do_as_well(parts, tmp_path, frame):
    layer = minigpt4_layer(tmp_path / 'same.pth')
    expected = minigpt4_dialogue(model=whole(layer))
    inside = torch.load(tmp_path / 'same.pth')['model']
    torch.save(inside, tmp_path / 'inside.pth')
    inside = str(tmp_path / 'inside.pth')
    assert_same(minigpt4_dialogue(**{**parts, 'projector': inside}), expected, frame.float())
    modules = dict(model=blip2().float(), language_model=language_model(seed=4), projector=inside)
    assert_same(minigpt4_dialogue(**modules), expected, frame.float())
    mixed = dict(modules, language_model=parts['language_model'], tokenizer=None)
    assert_same(minigpt4_dialogue(**mixed), expected, frame.float())


def test_a_projector_s_file_goes_before_the_module_s(tmp_path):
    layer = minigpt4_layer(tmp_path / 'layer.pth')
    model = blip2().float()
    ours = minigpt4_dialogue(model=model, projector=str(tmp_path / 'layer.pth'))
    assert torch.equal(ours.projector.weight, layer.weight)
    assert torch.equal(ours.projector.bias, layer.bias)
    assert minigpt4_dialogue(model=model).projector is model.language_projection


def test_folders_in_half_precision(parts, tmp_path, frame):
    ours = minigpt4_dialogue(BRANCH, **parts, dtype='bfloat16')
    assert {p.dtype for p in ours.parameters()} == {torch.bfloat16}
    assert torch.equal(ours.query_tokens, blip2().query_tokens.float().bfloat16())
    layer = minigpt4_layer(tmp_path / 'same.pth')
    assert torch.equal(ours.projector.weight, layer.weight.bfloat16())
    imgs = videos(SIZE).bfloat16()
    assert all(ours.generate(imgs, ['who?', 'why?'], max_new_tokens=4, min_new_tokens=4))


# --- refusals


def test_parts_that_are_not_named_are_refused_before_any_is_read(parts):
    nothing = dict(parts, language_model='nowhere')
    refused('name the folder of Vicuna or LLaMA-2 in language_model', minigpt4_dialogue,
            **dict(parts, language_model=None))
    refused('name the published file in projector', minigpt4_dialogue,
            **dict(nothing, projector=None))
    refused('projector none.pth is missing', minigpt4_dialogue,
            **dict(nothing, projector='none.pth'), error=FileNotFoundError)


def test_parts_that_are_not_there_are_refused(parts, tmp_path):
    for name in ('model', 'language_model'):
        refused(f'{tmp_path}/none', minigpt4_dialogue, **dict(parts, **{name: f'{tmp_path}/none'}),
                error=FileNotFoundError)
    for file in (tmp_path / 'llama').glob('token*.json'):
        file.unlink()
    refused('llama: no tokenizer to be had', minigpt4_dialogue, **parts, error=FileNotFoundError)


def projector(path, content):
    torch.save(content, path)
    return str(path)


@pytest.mark.parametrize('sizes', [(16, 8), (8, 16)])
def test_a_projector_of_other_sizes_is_refused(sizes, parts, tmp_path):
    minigpt4_layer(tmp_path / 'other.pth', *sizes)
    refused(rf'other.pth: llama_proj must be a linear layer of \(16, 16\) with a bias, found '
            rf'\({sizes[1]}, {sizes[0]}\)', minigpt4_dialogue,
            **dict(parts, projector=str(tmp_path / 'other.pth')))


@pytest.mark.parametrize('content, found', [
    ({}, 'none and none'),
    (dict(model={}), 'none and none'),
    (dict(model=3), 'none and none'),
    ([torch.zeros(3)], 'none and none'),
    (torch.zeros(3), 'none and none'),
    ({'llama_proj.weight': torch.zeros(16, 16)}, '(16, 16) and none'),
    ({'llama_proj.weight': torch.zeros(16, 16), 'llama_proj.bias': torch.zeros(8)},
     '(16, 16) and (8,)')], ids=lambda value: value if isinstance(value, str) else '')
def test_a_file_that_holds_no_projector_is_refused(content, found, parts, tmp_path):
    path = projector(tmp_path / 'other.pth', content)
    refused('other.pth: llama_proj must be .* found ' + re.escape(found), minigpt4_dialogue,
            **dict(parts, projector=path))


def test_a_projector_with_code_is_refused_and_not_run(parts, tmp_path):
    path = projector(tmp_path / 'code.pth', dict(model=Malice(str(tmp_path / 'ran'))))
    refused('code.pth holds code .*mkdir', minigpt4_dialogue, **dict(parts, projector=path))
    assert not (tmp_path / 'ran').exists()
    (tmp_path / 'code.pth').write_bytes(b'PK' + bytes(30))
    refused('code.pth cannot be read', minigpt4_dialogue, **dict(parts, projector=path))


def test_the_projection_of_a_module_that_does_not_fit_is_refused():
    refused('has 16 channels and the language model 32; name the file of its own in projector',
            minigpt4_dialogue, language_model=language_model(hidden_size=32))


def test_a_folder_of_another_model_is_refused(parts):
    refused("llama is no blip-2 in Hugging Face's form .model_type 'llama'", minigpt4_dialogue,
            **dict(parts, model=parts['language_model']))


def test_a_folder_whose_weights_are_not_whole_is_refused(parts, tmp_path):
    path = tmp_path / 'blip2' / 'model.safetensors'
    state = load_file(path)
    for lost, message in (
            ('qformer.encoder.layer.1.output_query.dense.weight',
             'weights of the Q-Former do not fit its config.json: .*layer.1.output_query.dense'),
            ('query_tokens', 'blip2 holds no query_tokens'),
            ('vision_model.post_layernorm.bias', 'vision tower do not fit its config.json')):
        save_file({name: value for name, value in state.items() if name != lost}, path)
        refused(message, minigpt4_dialogue, **parts)
    path.write_bytes(path.read_bytes()[:100])
    refused('model.safetensors cannot be read', minigpt4_dialogue, **parts)


def test_a_folder_of_the_language_model_that_lacks_weights_is_refused(parts, tmp_path):
    path = tmp_path / 'llama' / 'model.safetensors'
    state = load_file(path)
    del state['model.layers.1.mlp.up_proj.weight']
    save_file(state, path, metadata=dict(format='pt'))
    refused('llama lacks 1 weights of a .*, such as model.layers.1.mlp.up_proj.weight',
            minigpt4_dialogue, FRAME_MEAN, **parts)
