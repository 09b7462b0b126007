"""What InstructBLIP and MiniGPT-4 have in common: what of a video they read, and how it is kept."""
import pytest
import torch
import transformers

from mmbt.apis import load_branch, save_branch
from mmbt.models import BTAdapter

from ...support.tiny import stir
from ...support.tiny_towers import reference
from .tiny_dialogue import BRANCH, FRAMES, LANGUAGE, QFORMER, blip2, instructblip, videos
from .tiny_q_former import (
    FRAME_MEAN,
    QUERIES,
    SIZE,
    inputs,
    instructblip_dialogue,
    lengths_of_answers,
    logits,
    minigpt4_dialogue,
    refused,
    saying_nothing_but,
    with_layers_of_the_whole_eva,
)

BOTH = {'instructblip': (instructblip_dialogue, instructblip, 1e-6),
        'minigpt4': (minigpt4_dialogue, blip2, 1e-5)}
both = pytest.mark.parametrize('build, model, eps', BOTH.values(), ids=BOTH)
QUESTIONS = ['what is it?', 'who?']


@pytest.fixture
def imgs():
    return videos(SIZE)


def layer_norm(token, norm, eps):
    """Of one token, by definition."""
    centred = token - token.sum() / len(token)
    variance = (centred * centred).sum() / len(token)
    return centred / (variance + eps).sqrt() * norm.weight + norm.bias


@both
def test_the_cls_stands_first_and_the_norm_comes_last(build, model, eps, imgs):
    """Token by token; MiniGPT-4's norm has its authors' epsilon, not that of transformers."""
    dialogue = build(BRANCH)
    stir(dialogue.tokens)
    encoding = dialogue.backbone(imgs)
    share = dialogue.tokens.gate.weight.sigmoid()
    norm = dialogue.backbone.trunk.visual.norm
    tokens = dialogue.tokens(imgs)
    assert len(tokens) == 2 and len(tokens[0]) == 1 + 4
    for clip in range(2):
        branch = [encoding.branch_cls[clip], *(
            sum(encoding.branch_tokens[clip, t, n] for t in range(FRAMES)) / FRAMES
            for n in range(4))]
        frozen = [sum(encoding.clip_cls[clip, t] for t in range(FRAMES)) / FRAMES, *(
            sum(encoding.clip_tokens[clip, t, n] for t in range(FRAMES)) / FRAMES
            for n in range(4))]
        for place, (one, other) in enumerate(zip(branch, frozen)):
            expected = layer_norm(share * one + (1 - share) * other, norm, eps)
            torch.testing.assert_close(tokens[clip, place], expected, rtol=0, atol=1e-12)


@both
def test_the_branch_of_a_whole_eva_loads_beside_it(build, model, eps, imgs, tmp_path):
    """EVA has four layers and these models its first three; so the branch loses its last too."""
    whole = BTAdapter(reference('eva'), num_layers=3, num_frames=FRAMES)
    stir(whole.branch)
    save_branch(whole, tmp_path / 'branch.pth')
    expected = BTAdapter(reference('eva', drop_last=1), num_layers=3, num_frames=FRAMES)
    load_branch(expected, tmp_path / 'branch.pth')
    expected.double()
    container = with_layers_of_the_whole_eva(model(layers=3))
    dialogue = build(BRANCH, container, branch=str(tmp_path / 'branch.pth'))
    ours, theirs = dialogue.backbone(imgs), expected(imgs)
    for name in ('clip_tokens', 'clip_cls', 'branch_tokens', 'branch_cls'):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name), msg=name)
    assert torch.equal(dialogue.backbone.branch.cls_token, whole.branch.cls_token.double())
    without = build(BRANCH, with_layers_of_the_whole_eva(model(layers=3)))
    assert (logits(dialogue, imgs, QUESTIONS) - logits(without, imgs, QUESTIONS)).abs().max() > 1e-3


@both
def test_the_branch_of_another_eva_is_refused(build, model, eps, tmp_path):
    whole = BTAdapter(reference('eva'), num_layers=3, num_frames=FRAMES)
    save_branch(whole, tmp_path / 'branch.pth')
    refused('another CLIP than the one at hand', build, BRANCH, model(layers=3),
            branch=str(tmp_path / 'branch.pth'))
    refused('branch file none.pth is missing', build, BRANCH, branch='none.pth',
            error=FileNotFoundError)


@both
def test_the_answer_depends_on_the_order_of_time_by_the_branch_alone(build, model, eps, imgs):
    dialogue = build(BRANCH)
    stir(dialogue.backbone.branch)
    there, back = (logits(dialogue, each, QUESTIONS) for each in (imgs, imgs.flip(1)))
    assert (there - back).abs().amax(dim=1).min() > 1e-3
    plain = build(FRAME_MEAN)
    there, back = (logits(plain, each, QUESTIONS) for each in (imgs, imgs.flip(1)))
    torch.testing.assert_close(there, back, rtol=0, atol=1e-10)
    assert (logits(plain, imgs.flip(0), QUESTIONS) - there).abs().amax(dim=1).min() > 1e-3


@both
def test_questions_of_different_lengths_in_one_batch_are_as_each_alone(build, model, eps, imgs):
    """Padding is seen neither by the Q-Former nor by the language model."""
    dialogue = build(BRANCH)
    stir(dialogue.backbone.branch)
    tokens = dialogue.tokens(imgs)
    projected = dialogue.project(tokens, QUESTIONS)
    together = logits(dialogue, imgs, QUESTIONS)
    settings = dict(max_new_tokens=6, min_new_tokens=6)
    answers = dialogue.generate(imgs, QUESTIONS, **settings)
    for place, question in enumerate(QUESTIONS):
        one = slice(place, place + 1)
        torch.testing.assert_close(projected[one], dialogue.project(tokens[one], [question]),
                                   rtol=0, atol=1e-10)
        torch.testing.assert_close(together[one], logits(dialogue, imgs[one], [question]),
                                   rtol=0, atol=1e-8)
        assert dialogue.generate(imgs[one], [question], **settings) == [answers[place]]
    assert answers[0] != answers[1]
    _, mask = inputs(dialogue, imgs, QUESTIONS)
    shorter = len(QUESTIONS[0]) - len(QUESTIONS[1])
    assert mask[0].all() and not mask[1, :shorter].any() and mask[1, shorter:].all()


@both
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_its_precision(build, model, eps, dtype, imgs):
    exact = build(BRANCH, model().float())
    expected = exact.project(exact.tokens(imgs.float()), QUESTIONS)
    dialogue = build(BRANCH, model().float(), dtype=dtype)
    precision = getattr(torch, dtype)
    assert {p.dtype for p in dialogue.parameters()} == {precision}
    assert dialogue.query_tokens.dtype == precision
    torch.manual_seed(0)
    half = dialogue.project(dialogue.tokens(imgs.to(precision)), QUESTIONS)
    assert half.dtype == precision
    torch.testing.assert_close(half.float(), expected, rtol=0, atol=0.2)
    answers = dialogue.generate(imgs.to(precision), QUESTIONS, max_new_tokens=4, min_new_tokens=4)
    assert len(answers) == 2 and all(answers)


@both
def test_a_model_that_keeps_its_queries_in_single_precision_is_of_half_precision(build, model, eps):
    """transformers loads BLIP-2's Q-Former and both models' query tokens so."""
    container = model().bfloat16()
    container.query_tokens.data = container.query_tokens.data.float()
    container.qformer.float()
    dialogue = build(BRANCH, container)
    assert {p.dtype for p in dialogue.parameters()} == {torch.bfloat16}
    assert dialogue.query_tokens.dtype == torch.bfloat16


@both
def test_a_precision_that_there_is_not_is_refused(build, model, eps):
    refused("dtype is one of float32, float16 and bfloat16, got 'half'", build, dtype='half')


@both
def test_it_is_never_trained(build, model, eps, imgs):
    """The Q-Former's dropout is off whatever is called, and no gradient is asked for."""
    dialogue = build(BRANCH, model().train()).train()
    assert not any(module.training for module in dialogue.modules())
    assert not any(parameter.requires_grad for parameter in dialogue.parameters())
    first, second = (inputs(dialogue, imgs, QUESTIONS)[0] for _ in range(2))
    assert torch.equal(first, second) and not first.requires_grad
    dialogue.q_former.train()
    assert not torch.equal(inputs(dialogue, imgs, QUESTIONS)[0], first)  # else there is no dropout


@both
def test_its_queries_go_where_it_goes(build, model, eps):
    container = model()
    queries = container.query_tokens.detach().clone()
    dialogue = build(BRANCH, container)
    assert queries.shape == (1, QUERIES, 16) and queries.abs().min() > 0
    assert torch.equal(dialogue.query_tokens, queries)
    assert torch.equal(dialogue.float().query_tokens, queries.float())
    assert torch.equal(dialogue.state_dict()['query_tokens'], queries.float())
    assert dialogue.to('meta').query_tokens.device.type == 'meta'


@both
@pytest.mark.parametrize('own, token, length', [
    (1, 2, 1), (1, 1, 1), (1, 9, 9), ([1, 9], 9, 1), ([1, 9], 2, 1), (None, 2, 1)])
def test_an_answer_ends_at_the_tokenizer_s_end_too(build, model, eps, own, token, length, imgs):
    """Published models tell ``<s>``, which is 1, as the end of a sequence; it is ``</s>``, 2."""
    container = model()
    container.language_model.generation_config.eos_token_id = own
    dialogue = build(FRAME_MEAN, container)
    lengths = lengths_of_answers(dialogue)
    dialogue.generate(imgs, QUESTIONS, **saying_nothing_but(token))
    assert lengths == [length]


@both
def test_generation_as_it_is_set(build, model, eps, imgs):
    """The call goes before the config."""
    dialogue = build(FRAME_MEAN, generation=dict(max_new_tokens=3, eos_token_id=50))
    lengths = lengths_of_answers(dialogue)
    only = dict(suppress_tokens=saying_nothing_but(2)['suppress_tokens'])
    dialogue.generate(imgs, QUESTIONS, **only)
    dialogue.generate(imgs, QUESTIONS, max_new_tokens=5, **only)
    dialogue.generate(imgs, QUESTIONS, eos_token_id=2, **only)
    assert lengths == [3, 5, 1]


def of_t5(kind, config):
    """A model whose language model reads and writes in two parts."""
    text = transformers.T5Config(vocab_size=101, d_model=16, d_ff=32, d_kv=8, num_layers=1,
                                 num_heads=2)
    vision = dict(hidden_size=32, intermediate_size=96, num_hidden_layers=4, num_attention_heads=2,
                  image_size=28, patch_size=14)
    return kind(config(vision_config=vision, qformer_config=QFORMER, text_config=text.to_dict(),
                       num_query_tokens=QUERIES, image_token_index=100))


def test_t5_is_refused():
    message = 'reads and writes in two parts; take a dialogue model of Vicuna or LLaMA'
    refused(message, instructblip_dialogue, model=of_t5(
        transformers.InstructBlipForConditionalGeneration, transformers.InstructBlipConfig))
    refused(message, minigpt4_dialogue, model=of_t5(
        transformers.Blip2ForConditionalGeneration, transformers.Blip2Config))


def test_a_module_of_another_model_is_refused():
    llama = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LANGUAGE))
    for other in (blip2(), llama):
        refused(f'a {type(other).__name__} is no InstructBlipForConditionalGeneration',
                instructblip_dialogue, model=other)
    for other in (instructblip(), llama):
        refused(f'a {type(other).__name__} is no Blip2ForConditionalGeneration',
                minigpt4_dialogue, model=other)


def test_a_module_without_its_tokenizers_is_refused():
    for change in (dict(tokenizer=None), dict(question_tokenizer=None)):
        refused('a model that is a module needs its two tokenizers too', instructblip_dialogue,
                **change)
    refused('a language model that is a module needs its tokenizer too', minigpt4_dialogue,
            tokenizer=None)
