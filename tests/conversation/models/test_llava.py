"""LLaVA with a video backbone: transformers' own on one frame, and what a video adds to it."""
import pytest
import torch

from mmbt.conversation import LLaVADialogue
from mmbt.conversation.models import Template, VideoTokens

from .tiny_dialogue import BRANCH, ids, tokenizer, videos
from .tiny_llava import ASKED, FRAME_MEAN, GREEDY, dialogue, inputs, llava, next_logits

SYSTEM = ('A chat between a curious user and an artificial intelligence assistant. The assistant '
          "gives helpful, detailed, and polite answers to the user's questions. ")
IMAGE = 100
"""The number of the image token."""


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
