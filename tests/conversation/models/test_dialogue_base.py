"""What all dialogue models have in common, with the smallest one that there can be."""
import pytest
import torch
import transformers
from torch import nn

from mmbt.conversation.models import TEMPLATES, Template, VideoDialogue, VideoTokens
from mmbt.conversation.models.base import StopText

from ...support.tiny_backbones import beside
from ...support.tiny_towers import frames, reference
from .tiny_dialogue import LANGUAGE, finished, ids, tokenizer


class Plain(VideoDialogue):
    """One linear layer between CLIP frame by frame and a language model."""

    def __init__(self, language_model, template='llava_v1', words=None, **arguments):
        tokens = VideoTokens(beside(reference('clip', 1), 'FrameMean')).double()
        super().__init__(tokens, language_model, words or tokenizer(), template, **arguments)
        self.layer = nn.Linear(16, 16).double()

    def project(self, tokens, questions):
        return self.layer(tokens)


class Script(transformers.LogitsProcessor):
    """Has a language model write the same texts whatever it would; x behind their ends."""

    def __init__(self, *texts):
        self.texts = texts
        self.steps = 0

    def __call__(self, input_ids, scores):
        scores = torch.full_like(scores, -1e4)
        for row, text in zip(scores, self.texts):
            row[ids(text[self.steps:self.steps + 1] or 'x')] = 0
        self.steps += 1
        return scores


def language_model():
    torch.manual_seed(0)
    return finished(transformers.LlamaForCausalLM(transformers.LlamaConfig(**LANGUAGE)))


def plain(template='llava_v1', **arguments):
    torch.manual_seed(0)
    return Plain(language_model(), template, **arguments)


def refused(message, call, *args, **kwargs):
    """The error is of one line and says what it should."""
    with pytest.raises(ValueError, match=message) as caught:
        call(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1


def scripted(model, *texts, **generation):
    """What a model answers that writes these texts, and how many tokens it took."""
    script = Script(*texts)
    imgs = frames('clip', len(texts))
    answers = model.generate(
        imgs, ['?'] * len(texts), do_sample=False, **dict(dict(max_new_tokens=20), **generation),
        logits_processor=transformers.LogitsProcessorList([script]))
    return answers, script.steps


# --- the prompt


def embedded(model, tokens):
    return model.language_model.get_input_embeddings().weight[torch.tensor(tokens)]


@pytest.mark.parametrize('prompt, before, after', [
    ('ab: <video>\ncd', [1, *ids('ab: ')], ids('\ncd')),
    ('a</s>b<video>c</s>', [1, *ids('a'), 2, *ids('b')], [*ids('c'), 2]),
    ('<video>cd', [], [1, *ids('cd')])])
def test_a_video_stands_in_its_place_and_a_sequence_starts_once(prompt, before, after):
    """Where the video comes first, as in InstructBLIP, the start of a sequence is behind it."""
    model = plain()
    video = torch.randn(5, 16, dtype=torch.float64)
    expected = torch.cat([embedded(model, before), video, embedded(model, after)]) if before else \
        torch.cat([video, embedded(model, after)])
    assert torch.equal(model.splice(video, prompt), expected)


def test_shorter_prompts_are_padded_on_the_left():
    model = plain(Template('', 'Q: {video}{question} A:', '', ''))
    with torch.no_grad():
        videos = model.tokens(frames('clip'))
        embeds, mask = model.inputs(videos, ['who is it?', 'who?'])
        rows = [torch.cat([embedded(model, [1, *ids('Q: ')]), model.layer(video),
                           embedded(model, ids(question + ' A:'))])
                for video, question in zip(videos, ['who is it?', 'who?'])]
    assert len(rows[0]) == len(rows[1]) + 6 == 4 + 9 + 13
    torch.testing.assert_close(embeds[0], rows[0])
    torch.testing.assert_close(embeds[1, 6:], rows[1])
    assert mask.dtype == torch.int64 and mask.tolist() == [[1] * 26, [0] * 6 + [1] * 20]


@pytest.mark.parametrize('count, questions, histories, message', [
    (2, ['a'], None, '^2 videos, 1 questions and 1 histories; there must be one of each for each$'),
    (1, ['a', 'b'], None, '^1 videos, 2 questions and 2 histories'),
    (2, ['a', 'b'], [[]], '^2 videos, 2 questions and 1 histories'),
    (1, [], [], '^1 videos, 0 questions and 0 histories')])
def test_there_is_a_question_for_each_video(count, questions, histories, message):
    refused(message, plain().generate, frames('clip', count), questions, histories)


def test_what_a_template_refuses_is_refused():
    model, imgs = plain('instructblip'), frames('clip', 1)
    refused('the question is empty', model.generate, imgs, [' '])
    refused('<video> is where the video stands', model.generate, imgs, ['a <video> b'])
    refused('this model knows single questions', model.generate, imgs, ['a'], [[('b', 'c')]])


def test_a_template_is_a_name_or_ones_own():
    refused("template is one of .'instructblip', 'llava_v1', 'llava_v1.5', 'minigpt4_llama2', "
            "'minigpt4_vicuna'., got 'gpt'", plain, 'gpt')
    own = Template('', '{video}{question}', '', '')
    assert plain(own).template is own
    assert plain('minigpt4_llama2').template is TEMPLATES['minigpt4_llama2']


def test_a_language_model_in_two_parts_is_refused():
    """InstructBLIP and BLIP-2 come with T5 too."""
    sizes = dict(vocab_size=101, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    t5 = transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes))
    refused('^T5ForConditionalGeneration reads and writes in two parts; take a dialogue model of '
            'Vicuna or LLaMA$', Plain, t5)


# --- generation


def test_an_answer_ends_at_the_stop_text():
    """However long the others go on; what the prompt has of that text is no end."""
    model = plain('minigpt4_vicuna')
    answers, steps = scripted(model, 'no.###Human: and', ' it #is## red###', ' so###')
    assert answers == ['no.', 'it #is## red', 'so']
    assert steps == len(' it #is## red###')


def test_without_a_stop_text_the_same_text_goes_on():
    answers, steps = scripted(plain('llava_v1'), 'no.###Human: and')
    assert answers == ['no.###Human: andxxxx'] and steps == 20


def test_an_answer_ends_with_the_sequence():
    """What fills it up behind its end is no part of it."""
    model = plain('llava_v1')

    class End(Script):

        def __call__(self, input_ids, scores):
            scores = super().__call__(input_ids, scores)
            if self.steps == 4:
                scores[0, 2] = 1  # </s>
            return scores

    answers = model.generate(frames('clip'), ['?', '?'], do_sample=False, max_new_tokens=10,
                             logits_processor=transformers.LogitsProcessorList(
                                 [End(' ab', ' abcdef ')]))
    assert answers == ['ab', 'abcdef xx']


class Pieces:
    """A vocabulary in which the stop text is cut in several ways."""

    WORDS = ['', 'a', '#', '##', '###', 'b#', '#b']

    def batch_decode(self, rows, skip_special_tokens=False):
        return [''.join(self.WORDS[token] for token in row) for row in rows]


@pytest.mark.parametrize('row, ends', [
    ([1, 2, 2, 2], True), ([1, 2, 3], True), ([1, 3, 2], True), ([1, 1, 4], True),
    ([1, 5, 3], True), ([1, 3, 6], True), ([2, 0, 3, 0], True),
    ([1, 2, 2, 1], False), ([2, 1, 3], False), ([1, 1, 1], False), ([5, 1, 3], False)])
def test_the_stop_text_is_found_however_it_is_put_into_tokens(row, ends):
    stop = StopText('###', Pieces())
    rows = torch.tensor([row, [1] * len(row)])
    assert stop(rows, None).tolist() == [ends, False]


def recorded(model, monkeypatch, new_tokens):
    """The keywords that the language model's ``generate`` gets, which returns these tokens."""
    seen = {}

    def generate(**kwargs):
        seen.update(kwargs)
        return torch.tensor(new_tokens)

    monkeypatch.setattr(model.language_model, 'generate', generate)
    return seen


def test_what_a_call_asks_for_goes_before_the_models_defaults(monkeypatch):
    model = plain('minigpt4_vicuna', generation=dict(max_new_tokens=7, do_sample=False))
    seen = recorded(model, monkeypatch, [[*ids(' hi#'), 2, 0], [*ids('yo###'), 1]])
    imgs = frames('clip')
    assert model.generate(imgs, ['a', 'bc'], max_new_tokens=9, num_beams=2) == ['hi#', 'yo']
    embeds, mask = model.inputs(model.tokens(imgs), ['a', 'bc'])
    assert torch.equal(seen.pop('inputs_embeds'), embeds)
    assert torch.equal(seen.pop('attention_mask'), mask) and mask[0, 0] == 0
    criterion, = seen.pop('stopping_criteria')
    assert criterion.stop == '###'
    assert seen == dict(max_new_tokens=9, do_sample=False, num_beams=2, pad_token_id=0,
                        eos_token_id=[2])
    seen.clear()
    mine = StopText('q', model.tokenizer)
    model.generate(imgs, ['a', 'bc'], stopping_criteria=[mine])
    assert seen['max_new_tokens'] == 7
    assert [each.stop for each in seen['stopping_criteria']] == ['q', '###']
    assert model.generation == dict(max_new_tokens=7, do_sample=False, eos_token_id=[2])
    assert plain().generation == dict(max_new_tokens=1024, eos_token_id=[2])


def test_a_template_may_be_a_dict_in_a_config():
    model = plain(dict(system='S ', first='{video}{question}', turn='', answer='', rounds=False))
    assert model.template.prompt('q') == 'S <video>q'


def test_the_number_of_new_tokens_is_what_was_asked_for():
    model = plain(generation=dict(max_new_tokens=3))
    text = 'abcdefghij'
    assert scripted(model, text, max_new_tokens=6) == (['abcdef'], 6)
    script = Script(text)
    answer, = model.generate(frames('clip', 1), ['?'], do_sample=False,
                             logits_processor=transformers.LogitsProcessorList([script]))
    assert answer == 'abc'


def test_a_tokenizer_without_padding_fills_up_with_the_end_of_a_sequence(monkeypatch):
    words = tokenizer()
    words.pad_token = None
    model = plain(words=words)
    seen = recorded(model, monkeypatch, [ids('a')])
    model.generate(frames('clip', 1), ['?'])
    assert seen['pad_token_id'] == 2


def test_gradients_reach_every_video_through_the_padding():
    model, imgs = plain(), frames('clip')
    videos = model.tokens(imgs).requires_grad_()
    embeds, mask = model.inputs(videos, ['a', 'what is it?'])
    model.language_model(inputs_embeds=embeds, attention_mask=mask).logits[:, -1].sum().backward()
    assert (videos.grad.abs().amax(dim=2) > 0).all()


def test_an_answer_from_tokens_is_the_answer_from_frames():
    model, imgs = plain(), frames('clip')
    asked = ['who?', 'what is it?'], [[('a', 'b')], []]
    settings = dict(max_new_tokens=8, do_sample=False)
    expected = model.generate(imgs, *asked, **settings)
    tokens = model.tokens(imgs)
    assert model.answer(tokens, *asked, **settings) == expected
    assert model.answer(tokens, ['no', 'yes'], **settings) != expected


def test_all_stays_frozen_and_in_eval_mode():
    model = Plain(language_model().train().requires_grad_(True))
    for mode in (True, False):
        assert model.train(mode) is model
        assert not any(module.training for name, module in model.named_modules()
                       if not name.startswith('layer'))
    assert not any(p.requires_grad for part in (model.tokens, model.language_model)
                   for p in part.parameters())
    assert model.backbone is model.tokens.backbone
