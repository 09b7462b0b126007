"""LLaVA with a video backbone: transformers' own on one frame, and what a video adds to it."""
import copy

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import load_file, save_file

from mmbt.apis import load_branch, save_branch
from mmbt.models import BTAdapter, LLaVADialogue
from mmbt.models.dialogue import Template, VideoTokens

from ..tiny import stir
from ..tiny_towers import in_hf_form, inner_transformer, reference
from .tiny_dialogue import BRANCH, FRAMES, ids, tokenizer, videos
from .tiny_dialogue import llava as dull_llava

FRAME_MEAN = dict(type='FrameMean')
SYSTEM = ('A chat between a curious user and an artificial intelligence assistant. The assistant '
          "gives helpful, detailed, and polite answers to the user's questions. ")
IMAGE = 100
"""The number of the image token."""
GREEDY = dict(max_new_tokens=12, min_new_tokens=12, do_sample=False)
ASKED = ['who?', 'what happens in the end?', 'is it red or blue']


def llava(**change):
    """A tiny LLaVA whose attention picks few tokens, so that its answers tell videos apart."""
    model = dull_llava(**change)
    for name, weight in model.named_parameters():
        if 'q_proj' in name and 'vision' not in name:
            weight.data.mul_(6)
    return model


def dialogue(backbone=BRANCH, model=None, **arguments):
    """LLaVA beside a stirred branch, in double precision."""
    torch.manual_seed(7)
    built = LLaVADialogue(model or llava(), backbone, tokenizer=tokenizer(), **arguments)
    if hasattr(built.backbone, 'branch'):
        stir(built.backbone.branch)
    return built


def inputs(model, imgs, questions, histories=None):
    return model.inputs(model.tokens(imgs), questions, histories)


def next_logits(model, *asked):
    """What the language model makes of the first token of each answer."""
    embeds, mask = inputs(model, *asked)
    with torch.no_grad():
        return model.language_model(inputs_embeds=embeds, attention_mask=mask).logits[:, -1]


def refused(message, *args, error=ValueError, **kwargs):
    """The error is of one line and says what it should."""
    with pytest.raises(error, match=message) as caught:
        LLaVADialogue(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1


# --- one frame, as transformers reads an image


@pytest.fixture(params=[
    dict(),
    dict(vision_feature_select_strategy='full'),
    dict(vision_feature_layer=2),
    dict(vision_feature_layer=-3, vision_feature_select_strategy='full')],
    ids=lambda change: '-'.join(str(each) for each in change.values()) or 'default')
def one_frame(request):
    """A dialogue model that reads single frames, and what transformers' own takes for these."""
    model = dialogue(FRAME_MEAN, llava(**request.param))
    images = videos(count=3)[:, 0]
    count = 9 + ('vision_feature_select_strategy' in request.param)
    prompts = [torch.tensor([[1, *ids(SYSTEM + 'USER: '), *[IMAGE] * count,
                              *ids(f'\n{question} ASSISTANT:')]]) for question in ASKED]
    return model, images, prompts


def test_a_frame_is_what_transformers_makes_of_an_image(one_frame):
    """With the tokens that LLaVA reads of CLIP, between the same words."""
    model, images, prompts = one_frame
    for image, question, prompt in zip(images, ASKED, prompts):
        embeds, mask = inputs(model, image[None, None], [question])
        assert mask.tolist() == [[1] * prompt.shape[1]]
        with torch.no_grad():
            ours = model.language_model(inputs_embeds=embeds, attention_mask=mask).logits
            native = model.language_model(input_ids=prompt, pixel_values=image[None],
                                          attention_mask=torch.ones_like(prompt)).logits
        torch.testing.assert_close(ours, native)


def test_its_answer_is_transformers_own(one_frame):
    """Greedy, and a batch of three is asked at once."""
    model, images, prompts = one_frame
    expected = []
    for image, prompt in zip(images, prompts):
        made = model.language_model.generate(
            input_ids=prompt, pixel_values=image[None], attention_mask=torch.ones_like(prompt),
            pad_token_id=0, **GREEDY)
        text = model.tokenizer.decode(made[0, prompt.shape[1]:], skip_special_tokens=True)
        expected.append(text.strip())
    assert len(set(expected)) == 3 and min(len(text) for text in expected) > 5
    assert model.generate(images[:, None], ASKED, **GREEDY) == expected


# --- a video


def test_a_batch_gives_each_video_its_own_answer():
    """Questions of several lengths are padded, and the padding is not read."""
    model, imgs = dialogue(), videos(count=3)
    together = model.generate(imgs, ASKED, **GREEDY)
    logits = next_logits(model, imgs, ASKED)
    for number, question in enumerate(ASKED):
        alone = imgs[number:number + 1], [question]
        assert model.generate(*alone, **GREEDY) == [together[number]]
        torch.testing.assert_close(logits[number], next_logits(model, *alone)[0],
                                   rtol=1e-4, atol=1e-4)
    assert model.generate(imgs.flip(0), ASKED[::-1], **GREEDY) == together[::-1]
    assert model.generate(imgs.flip(0), ASKED, **GREEDY) != together


def test_earlier_rounds_stand_in_the_prompt():
    """Each earlier answer ends with the token that ends a sequence."""
    model, imgs = dialogue(template='llava_v1'), videos(count=1)
    history = [('Who?', 'A dog.'), ('Why?', 'So.')]
    embeds, mask = inputs(model, imgs, ['And?'], [history])
    system = SYSTEM.replace('user', 'human')
    before = [1, *ids(system + 'USER: ')]
    after = [*ids('\nWho? ASSISTANT: A dog.'), 2, *ids('USER: Why? ASSISTANT: So.'), 2,
             *ids('USER: And? ASSISTANT:')]
    weight = model.language_model.get_input_embeddings().weight
    video = model.project(model.tokens(imgs), [''])[0]
    expected = torch.cat([weight[before], video, weight[after]])
    assert torch.equal(embeds[0], expected) and mask.all()
    asked = imgs, ['And?']
    assert model.generate(*asked, [history], **GREEDY) != model.generate(*asked, **GREEDY)


def test_videos_in_a_batch_have_their_own_rounds():
    model, imgs = dialogue(), videos()
    histories = [[('Who?', 'A dog.')], []]
    together = model.generate(imgs, ASKED[:2], histories, **GREEDY)
    for number in range(2):
        alone = imgs[number:number + 1], ASKED[number:number + 1], histories[number:number + 1]
        assert model.generate(*alone, **GREEDY) == [together[number]]


def test_the_answer_depends_on_the_order_of_the_frames():
    imgs, question = videos(count=1), ['what?']
    reverse = imgs.flip(1)
    bare = Template('', '{video}{question}', '', '')
    model, blind = dialogue(template=bare), dialogue(FRAME_MEAN, template=bare)
    assert model.generate(imgs, question, **GREEDY) != model.generate(reverse, question, **GREEDY)
    assert blind.generate(imgs, question, **GREEDY) == blind.generate(reverse, question, **GREEDY)
    torch.testing.assert_close(next_logits(blind, imgs, question),
                               next_logits(blind, reverse, question))
    apart = next_logits(model, imgs, question) - next_logits(model, reverse, question)
    assert apart.abs().max() > 0.01


@pytest.mark.parametrize('pooling, count', [('time', 9), ('space_time', 4 + 9), ('none', 4 * 9)])
def test_the_settings_reach_the_tokens(pooling, count):
    """As the plain tokens beside the same tower are, through LLaVA's projector."""
    model, imgs = dialogue(pooling=pooling, combination='add'), videos(count=1)
    tokens = VideoTokens(model.backbone, 'add', pooling).double()(imgs)
    embeds, mask = inputs(model, imgs, ['who?'])
    start = 1 + len(SYSTEM + 'USER: ')
    assert mask.shape[1] == start + count + len('\nwho? ASSISTANT:')
    torch.testing.assert_close(embeds[:, start:start + count], model.project(tokens, ['who?']))


def test_all_is_frozen_and_in_eval_mode():
    model = LLaVADialogue(llava().train(), BRANCH, tokenizer=tokenizer())
    for mode in (True, False):
        assert model.train(mode) is model
        assert not any(module.training for module in model.modules())
    assert not any(parameter.requires_grad for parameter in model.parameters())
    names = [name for name, _ in model.named_parameters()]
    assert any('branch' in name for name in names) and any('projector' in name for name in names)


# --- folders and files


@pytest.fixture
def same_clip(tmp_path):
    """LLaVA with open_clip's tiny CLIP in it, and the branch file of an adapter beside the whole.

    The file's branch has a layer more, that beside CLIP's last.
    """
    trunk = reference('clip')
    model = llava()
    state = in_hf_form(trunk.canonical_state(), 'clip')
    del state['proj.weight']
    inner_transformer(model).load_state_dict(state)
    torch.manual_seed(4)
    adapter = BTAdapter(trunk, num_layers=3, num_frames=FRAMES).double()
    stir(adapter.branch)
    save_branch(adapter, tmp_path / 'branch.pth')
    return model, str(tmp_path / 'branch.pth')


def test_a_branch_of_open_clip_speaks_through_llava(same_clip):
    """Frames pass CLIP and branch up to the last layer but one, as they do beside open_clip."""
    model, path = same_clip
    talking = LLaVADialogue(model, BRANCH, branch=path, tokenizer=tokenizer())
    short = BTAdapter(reference('clip', 1), num_layers=3, num_frames=FRAMES).double()
    load_branch(short, path)
    imgs = videos()
    expected = VideoTokens(short).double()(imgs)
    torch.testing.assert_close(talking.tokens(imgs), expected, rtol=1e-5, atol=1e-5)
    plain = LLaVADialogue(model, BRANCH, tokenizer=tokenizer())
    assert plain.generate(imgs, ASKED[:2], **GREEDY) != talking.generate(imgs, ASKED[:2], **GREEDY)


def test_a_branch_loads_into_a_dialogue_model_that_there_is(same_clip):
    model, path = same_clip
    expected = LLaVADialogue(model, BRANCH, branch=path, tokenizer=tokenizer())
    talking = LLaVADialogue(model, BRANCH, tokenizer=tokenizer())
    load_branch(talking.backbone, path)
    imgs = videos()
    torch.testing.assert_close(talking.tokens(imgs), expected.tokens(imgs), rtol=1e-5, atol=1e-5)


def test_a_branch_of_another_clip_is_refused(same_clip):
    _, path = same_clip
    refused('another CLIP than the one at hand', llava(), BRANCH, branch=path,
            tokenizer=tokenizer())


def test_a_branch_file_that_is_not_there_is_refused(tmp_path):
    path = str(tmp_path / 'none.pth')
    refused(f'branch file {path} is missing', llava(), BRANCH, branch=path, tokenizer=tokenizer(),
            error=FileNotFoundError)


@pytest.fixture
def folder(same_clip, tmp_path):
    """The folder of such a LLaVA with its tokenizer, and its branch file."""
    model, path = same_clip
    model.float().save_pretrained(tmp_path / 'llava')
    tokenizer().save_pretrained(tmp_path / 'llava')
    return tmp_path / 'llava', path


def test_a_folder_talks_as_the_module_saved_in_it(folder, same_clip):
    path, branch = folder
    module = LLaVADialogue(same_clip[0], BRANCH, branch=branch, tokenizer=tokenizer())
    loaded = MODELS.build(dict(type='LLaVADialogue', model=str(path), backbone=BRANCH,
                               branch=branch))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    imgs = videos(count=3).float()
    assert torch.equal(loaded.tokens(imgs), module.tokens(imgs))
    assert torch.equal(next_logits(loaded, imgs, ASKED), next_logits(module, imgs, ASKED))
    answers = loaded.generate(imgs, ASKED, **GREEDY)
    assert answers == module.generate(imgs, ASKED, **GREEDY) and len(set(answers)) == 3


def test_a_tokenizer_at_hand_goes_before_the_folders(folder):
    words = tokenizer()
    assert LLaVADialogue(str(folder[0]), FRAME_MEAN, tokenizer=words).tokenizer is words


def rewrite(path, change):
    """Change the weights of a folder; returns the name of one."""
    state = load_file(path / 'model.safetensors')
    name = next(key for key in state if key.endswith('layers.1.mlp.up_proj.weight'))
    change(state, name)
    save_file(state, path / 'model.safetensors', metadata=dict(format='pt'))


def test_a_folder_that_lacks_a_weight_is_refused(folder):
    """transformers itself would go on with a random one in its place."""
    path = folder[0]
    rewrite(path, lambda state, name: state.pop(name))
    refused('lacks 1 weights of a LlavaForConditionalGeneration, such as .*layers.1.mlp.up_proj',
            str(path), FRAME_MEAN)


def test_weights_that_do_not_fit_or_cannot_be_read_are_refused(folder):
    path, message = folder[0], 'llava: the weights cannot be read or do not fit its config.json'
    rewrite(path, lambda state, name: state.update({name: state[name][:5].clone()}))
    refused(message, str(path), FRAME_MEAN)
    weights = path / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:50])
    refused(message, str(path), FRAME_MEAN)


def test_what_is_not_there_is_refused(folder, tmp_path):
    none, path = str(tmp_path / 'none'), folder[0]
    refused(f'^{none}: no tokenizer to be had here or on the hub', none, FRAME_MEAN,
            error=FileNotFoundError)
    refused(f'^{none}: no model to be had here or on the hub', none, FRAME_MEAN,
            tokenizer=tokenizer(), error=FileNotFoundError)
    (path / 'model.safetensors').unlink()
    refused('llava: no model to be had here', str(path), FRAME_MEAN, error=FileNotFoundError)
    for file in path.glob('*token*'):
        file.unlink()
    refused('llava: no tokenizer to be had here', str(path), FRAME_MEAN, error=FileNotFoundError)


def test_half_precision(folder):
    """Every weight is in it, and the first words are nearly as likely as in single precision."""
    path, branch = folder
    single = LLaVADialogue(str(path), BRANCH, branch=branch)
    half = LLaVADialogue(str(path), BRANCH, branch=branch, dtype='bfloat16')
    cast = LLaVADialogue(copy.deepcopy(single.language_model), BRANCH, branch=branch,
                         tokenizer=tokenizer(), dtype='bfloat16')
    imgs = videos(count=3).float()
    expected = next_logits(single, imgs, ASKED)
    for model in (half, cast):
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
        logits = next_logits(model, imgs, ASKED)
        assert logits.dtype in (torch.bfloat16, torch.float32)
        error = (logits.float() - expected).norm() / expected.norm()
        assert 1e-5 < error < 0.05
        for name, buffer in model.language_model.named_buffers():
            assert buffer.dtype != torch.bfloat16, name
    answers = half.generate(imgs, ASKED, **GREEDY)
    assert answers == cast.generate(imgs, ASKED, **GREEDY)
    assert min(len(answer) for answer in answers) > 5


# --- refusals


@pytest.mark.parametrize('layers', [[-2, -5], [1, 2]])
def test_a_model_that_reads_several_layers_is_refused(layers):
    refused('this LLaVA reads several layers of CLIP, .*; take one that reads one',
            llava(vision_feature_layer=layers), FRAME_MEAN, tokenizer=tokenizer())


@pytest.mark.parametrize('arguments, message', [
    (dict(tokenizer=None), '^a model that is a module needs its tokenizer too$'),
    (dict(template='vicuna'), "^template is one of .*'llava_v1.5'.*, got 'vicuna'$"),
    (dict(dtype='int8'), "^dtype is one of float32, float16 and bfloat16, got 'int8'$"),
    (dict(combination='sum'), "^combination is one of .*, got 'sum'$"),
    (dict(pooling='max'), "^pooling is one of .*, got 'max'$")])
def test_settings_that_do_not_fit_are_refused(arguments, message):
    refused(message, llava(), FRAME_MEAN, **dict(dict(tokenizer=tokenizer()), **arguments))


def test_a_branch_that_stands_beside_no_layer_that_is_read_is_refused():
    refused('num_layers of the branch must lie in 2..4', llava(), dict(BRANCH, num_layers=1),
            tokenizer=tokenizer())
