"""InstructBLIP on one frame is transformers' own; and what its Q-Former is told of a question."""
import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from ...support.tiny_towers import inner_transformer
from .folders import hf_folder
from .tiny_dialogue import BRANCH, QFORMER, ids, instructblip, tokenizer, videos
from .tiny_q_former import (
    FRAME_MEAN,
    IMAGE,
    QUERIES,
    SIZE,
    inputs,
    instructblip_dialogue,
    logits,
    refused,
)

QUESTIONS = ['who is there?', 'why?']


@pytest.fixture
def frame():
    """Two videos of one frame, on which nothing is left of InstructBLIP to be pooled."""
    return videos(SIZE)[:, :1]


def native_arguments(imgs, question, asked=None):
    """What transformers' InstructBLIP is called with: queries, ``<s>``, question.

    ``asked`` is what the Q-Former is told, if not the question.
    """
    words = torch.tensor([ids(question if asked is None else asked)])
    prompt = torch.tensor([[IMAGE] * QUERIES + [1] + ids(question)])
    return dict(pixel_values=imgs[:, 0], qformer_input_ids=words,
                qformer_attention_mask=torch.ones_like(words), input_ids=prompt,
                attention_mask=torch.ones_like(prompt))


@torch.no_grad()
def native(model, imgs, question, asked=None):
    """transformers' own forward."""
    return model(**native_arguments(imgs, question, asked))


def test_one_frame_is_what_transformers_tower_returns(frame):
    model = instructblip()
    dialogue = instructblip_dialogue(model=model)
    expected = model.vision_model(frame[:, 0]).last_hidden_state
    torch.testing.assert_close(dialogue.tokens(frame), expected, rtol=0, atol=1e-12)


def test_more_frames_are_averaged_before_the_norm():
    model, imgs = instructblip(), videos(SIZE)
    tower = inner_transformer(model)
    tokens = 0
    for t in range(imgs.shape[1]):
        tokens = tokens + tower.encoder(inputs_embeds=tower.embeddings(imgs[:, t]))[0]
    torch.testing.assert_close(instructblip_dialogue(model=model).tokens(imgs),
                               tower.post_layernorm(tokens / imgs.shape[1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize('question', QUESTIONS)
def test_the_q_former_reads_one_frame_and_the_question_as_in_transformers(question, frame):
    model = instructblip()
    dialogue = instructblip_dialogue(model=model)
    found = native(model, frame[:1], question).qformer_outputs.last_hidden_state[:, :QUERIES]
    projected = dialogue.project(dialogue.tokens(frame[:1]), [question])
    torch.testing.assert_close(projected, model.language_projection(found), rtol=0, atol=1e-10)


def test_the_q_former_is_told_the_question(frame):
    """Other words bring other tokens, of the same frame, and they are the native ones."""
    model = instructblip()
    dialogue = instructblip_dialogue(model=model)
    tokens = dialogue.tokens(frame[:1])
    first, second = (dialogue.project(tokens, [words]) for words in ('a dog', 'a cat'))
    assert (first - second).abs().amax(dim=2).min() > 1e-3
    found = native(model, frame[:1], 'a dog', asked='a cat').qformer_outputs
    torch.testing.assert_close(
        second, model.language_projection(found.last_hidden_state[:, :QUERIES]), rtol=0, atol=1e-10)


def test_the_prompt_is_the_queries_and_then_the_question(frame):
    dialogue = instructblip_dialogue()
    embeds, mask = inputs(dialogue, frame[:1], ['who?'])
    weight = dialogue.language_model.get_input_embeddings().weight
    queries = dialogue.project(dialogue.tokens(frame[:1]), ['who?'])[0]
    assert torch.equal(embeds[0], torch.cat([queries, weight[[1, *ids('who?')]]]))
    assert mask.tolist() == [[1] * (QUERIES + 1 + 4)]


@pytest.mark.parametrize('question', QUESTIONS)
def test_logits_and_answers_are_those_of_transformers(question, frame):
    model, own = instructblip(), instructblip()
    dialogue = instructblip_dialogue(model=model)
    expected = native(own, frame[:1], question).logits[:, -1]
    torch.testing.assert_close(logits(dialogue, frame[:1], [question]), expected, rtol=0, atol=1e-8)
    settings = dict(do_sample=False, max_new_tokens=8, min_new_tokens=8)
    tokens = own.generate(**native_arguments(frame[:1], question), **settings)[0, -8:]
    answer, = dialogue.generate(frame[:1], [question], **settings)
    assert answer == tokenizer().decode(tokens, skip_special_tokens=True).strip()
    assert len(answer) > 4


def test_a_batch_answers_as_transformers_does_each(frame):
    dialogue, own = instructblip_dialogue(), instructblip()
    settings = dict(do_sample=False, max_new_tokens=8, min_new_tokens=8)
    expected = [
        own.generate(**native_arguments(frame[each:each + 1], QUESTIONS[each]), **settings)[0, -8:]
        for each in range(2)]
    texts = [text.strip() for text in tokenizer().batch_decode(expected, skip_special_tokens=True)]
    assert dialogue.generate(frame, QUESTIONS, **settings) == texts and texts[0] != texts[1]


def test_earlier_rounds_are_refused(frame):
    dialogue = instructblip_dialogue()
    with pytest.raises(ValueError, match='knows single questions'):
        dialogue.generate(frame[:1], ['who?'], [[('what?', 'a dog')]])


def test_of_a_long_question_the_q_former_reads_the_beginning(frame):
    """As much as it has positions for; the language model reads all."""
    length = QFORMER['max_position_embeddings']
    dialogue = instructblip_dialogue()
    tokens, question = dialogue.tokens(frame[:1]), 'who is it? ' * 30
    assert len(question) > length
    assert torch.equal(dialogue.project(tokens, [question]),
                       dialogue.project(tokens, [question[:length]]))
    assert not torch.equal(dialogue.project(tokens, [question]),
                           dialogue.project(tokens, [question[:length - 1]]))
    assert inputs(dialogue, frame[:1], [question])[0].shape[1] == QUERIES + 1 + len(question)


# --- from a folder


@pytest.fixture
def folder(tmp_path):
    """An InstructBLIP with both its tokenizers."""
    hf_folder(instructblip(), tmp_path / 'model', questions=True)
    return tmp_path / 'model'


def of_folder(folder, backbone=FRAME_MEAN, **change):
    return instructblip_dialogue(backbone, str(folder), tokenizer=None, question_tokenizer=None,
                                 **change)


def test_a_folder_is_the_module(folder, frame):
    expected, ours = instructblip_dialogue(model=instructblip().float()), of_folder(folder)
    assert {p.dtype for p in ours.parameters()} == {torch.float32}
    imgs = frame.float()
    for one, other in zip(inputs(ours, imgs, QUESTIONS), inputs(expected, imgs, QUESTIONS)):
        assert torch.equal(one, other)
    assert torch.equal(logits(ours, imgs, QUESTIONS), logits(expected, imgs, QUESTIONS))
    assert ours.tokenizer('ab').input_ids == [1] + ids('ab')
    assert ours.question_tokenizer('ab').input_ids == ids('ab')


def test_a_folder_in_half_precision(folder, frame):
    ours = of_folder(folder, BRANCH, dtype='bfloat16')
    assert {p.dtype for p in ours.parameters()} == {torch.bfloat16}
    weight = instructblip().language_projection.weight
    assert torch.equal(ours.projector.weight, weight.float().bfloat16())
    assert torch.equal(ours.query_tokens, instructblip().query_tokens.float().bfloat16())


def test_tokenizers_that_are_given_go_before_the_folder_s(folder):
    ours = instructblip_dialogue(model=str(folder), tokenizer=tokenizer(False),
                                 question_tokenizer=tokenizer())
    assert ours.tokenizer('ab').input_ids == ids('ab')
    assert ours.question_tokenizer('ab').input_ids == [1] + ids('ab')


def test_a_folder_without_the_q_former_s_tokenizer_is_refused(folder):
    for file in (folder / 'qformer_tokenizer').iterdir():
        file.unlink()
    refused(f'{folder}: no tokenizer to be had here or on the hub', of_folder, folder,
            error=FileNotFoundError)


def test_a_folder_without_a_tokenizer_is_refused(folder):
    """transformers 5 would start an empty one."""
    for file in folder.glob('*token*'):
        if file.is_file():
            file.unlink()
    refused(f'{folder}: no tokenizer to be had here or on the hub', of_folder, folder,
            error=FileNotFoundError)


@pytest.mark.parametrize('lost', ['query_tokens', 'language_projection.bias',
                                  'qformer.encoder.layer.1.output_query.dense.weight'])
def test_weights_that_are_missing_are_refused(lost, folder):
    """transformers itself would go on with random ones."""
    state = load_file(folder / 'model.safetensors')
    del state[lost]
    save_file(state, folder / 'model.safetensors', metadata=dict(format='pt'))
    refused(f'{folder} lacks 1 weights of a InstructBlipForConditionalGeneration, such as {lost}$',
            of_folder, folder)


def test_a_folder_of_another_model_is_refused(folder, tmp_path):
    settings = json.loads((folder / 'config.json').read_text())
    settings['model_type'] = 'blip-2'
    (folder / 'config.json').write_text(json.dumps(settings))
    refused(f"{folder} is no instructblip in Hugging Face's form .model_type 'blip-2'", of_folder,
            folder)
    refused('nowhere', of_folder, tmp_path / 'nowhere', error=FileNotFoundError)
