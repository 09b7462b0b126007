"""What instruction tuning teaches: the sequences, the loss and its gradients, and what stays."""
import copy

import pytest
import torch

from mmbt.conversation.models.templates import VIDEO
from mmbt.conversation.tuning.taught_answers import IGNORED

from .tiny_dialogue import ids
from .tiny_tuning import ANSWERS, QUESTIONS, clips, gradients, trained, tuning


@pytest.fixture
def model(folder):
    return tuning(folder)


def test_a_sequence_is_the_prompt_its_video_and_the_answer_with_its_end(model):
    """Padded on the right; the space between prompt and answer is the answer's first token."""
    dialogue, imgs = model.dialogue, clips(2)
    with torch.no_grad():
        videos = dialogue.tokens(imgs)
        embeds, mask, labels = model.sequences(videos, QUESTIONS[:2], ANSWERS[:2])
        embed = dialogue.language_model.get_input_embeddings()
        for row, (question, answer) in enumerate(zip(QUESTIONS, ANSWERS[:2])):
            before, _, after = dialogue.template.prompt(question).partition(VIDEO)
            told = [*ids(' ' + answer), 2]
            prompt = 1 + len(before) + 9 + len(after)
            expected = torch.cat([embed(torch.tensor([1, *ids(before)])),
                                  dialogue.projector(videos[row]),
                                  embed(torch.tensor(ids(after) + told))])
            length = len(expected)
            assert length == prompt + len(told)
            torch.testing.assert_close(embeds[row, :length], expected)
            assert mask[row].tolist() == [1] * length + [0] * (mask.shape[1] - length)
            assert labels[row].tolist() == [IGNORED] * prompt + told + \
                [IGNORED] * (mask.shape[1] - length)
    assert mask[0].min() == 0 and mask[1].min() == 1


def test_the_loss_is_that_of_each_token_after_the_other(model):
    """A slow loop: one sequence at a time, without padding, one token at a time."""
    imgs, total, count = clips(), 0., 0
    with torch.no_grad():
        for img, question, answer in zip(imgs[:, None], QUESTIONS, ANSWERS):
            embeds, mask = model.dialogue.inputs(model.dialogue.tokens(img), [question])
            assert mask.all()
            for token in [*ids(' ' + answer), 2]:
                logits = model.dialogue.language_model(inputs_embeds=embeds).logits[0, -1]
                total -= float(logits.log_softmax(0)[token])
                count += 1
                following = model.dialogue.language_model.get_input_embeddings()(
                    torch.tensor([[token]]))
                embeds = torch.cat([embeds, following], dim=1)
        loss = float(model.loss(imgs, QUESTIONS, ANSWERS)['loss'])
    assert count == sum(map(len, ANSWERS)) + 2 * len(ANSWERS)
    assert loss == pytest.approx(total / count, rel=1e-5)


def test_a_batch_of_uneven_lengths_is_the_mean_over_its_tokens(model):
    """Loss and gradient: those of the single samples, each weighted by its answer's tokens."""
    model.double()
    imgs = clips().double()
    loss, together = gradients(model, imgs, QUESTIONS, ANSWERS)
    weights = torch.tensor([len(answer) + 2. for answer in ANSWERS]).double()
    assert len(set(weights.tolist())) == 3
    weights /= weights.sum()
    singles = [gradients(model, imgs[i:i + 1], QUESTIONS[i:i + 1], ANSWERS[i:i + 1])
               for i in range(3)]
    torch.testing.assert_close(loss, sum(w * each[0] for w, each in zip(weights, singles)))
    for name, gradient in together.items():
        expected = sum(w * each[1][name] for w, each in zip(weights, singles))
        # The norms of the language model are in float32 whatever it is told.
        torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-5 * gradient.abs().max())
        assert gradient.any(), name
    plain = sum(each[0] for each in singles) / 3
    assert (plain - loss).abs() > 1e-4  # else the weights would not matter


def test_the_runner_s_forward_is_the_loss(model):
    class Sample:
        question, answer = QUESTIONS[0], ANSWERS[0]

    imgs = clips(1)
    told = model(dict(imgs=imgs), [Sample()], mode='loss')
    assert set(told) == {'loss'}
    assert told['loss'] == model.loss(imgs, QUESTIONS[:1], ANSWERS[:1])['loss']
    assert torch.equal(model(dict(imgs=imgs)), model.dialogue.tokens(imgs))
    with pytest.raises(ValueError, match="^mode is 'loss' or 'tensor', got 'predict'"):
        model(dict(imgs=imgs), [Sample()], mode='predict')


def test_what_is_trained(model):
    """The branch but its way to the joint space, the weight between it and CLIP, the projector."""
    branch = {f'dialogue.tokens.backbone.branch.{name}' for name, _
              in model.backbone.branch.named_parameters() if name != 'output_gate.weight'}
    assert set(trained(model)) == branch | {
        'dialogue.tokens.gate.weight', 'dialogue.projector.weight', 'dialogue.projector.bias'}
    assert any('gates' in name for name in branch)


def test_a_step_moves_all_that_is_trained_and_not_a_bit_else(model):
    before = copy.deepcopy(dict(model.named_parameters()))
    buffers = copy.deepcopy(dict(model.named_buffers()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1)
    gradients(model, clips(), QUESTIONS, ANSWERS)
    optimizer.step()
    names = trained(model)
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == (name not in names), name
    assert len(before) > 2 * len(names)
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())


def test_only_what_is_trained_is_ever_in_training_mode(folder):
    model = tuning(folder, dict(backbone=dict(
        type='BTAdapter', num_layers=3, num_frames=4, drop_path=0.5)))
    for mode in (True, False, True):
        model.train(mode)
        trunk = set(model.backbone.trunk.modules())
        tuned = set(model.tuned_parts().modules()) - trunk
        for part in (trunk, set(model.dialogue.language_model.modules())):
            assert not any(module.training for module in part)
        assert {module.training for module in tuned - {model.tuned_parts()}
                if module in set(model.dialogue.modules())} == {mode}
    torch.manual_seed(0)
    first, second = (model.dialogue.tokens(clips(1)) for _ in range(2))
    assert not torch.equal(first, second)  # drop path
    model.eval()
    first, second = (model.dialogue.tokens(clips(1)) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize('backbone, names', [
    (dict(type='FrameMean'), set()),
    (dict(type='STPooling'), set()),
    (dict(type='JointST', num_frames=4), {'time_embedding'})])
def test_other_backbones(folder, backbone, names):
    """CLIP frame by frame has a projector to train; joint attention a time embedding too."""
    model = tuning(folder, dict(backbone=backbone, branch=None), from_scratch=True)
    found = {name.rpartition('backbone.')[2] for name in trained(model) if 'backbone.' in name}
    assert found == names
    found = gradients(model, clips(), QUESTIONS, ANSWERS)[1]
    assert len(found) == len(names) + 2 and all(gradient.any() for gradient in found.values())


def test_clip_is_trained_where_it_is_asked_for(folder):
    """All of CLIP that is read gets a gradient; its last layer and norm are not read."""
    model = tuning(folder, dict(backbone=dict(type='SeparateST', num_frames=4), branch=None),
                   from_scratch=True, train_clip=True)
    model.zero_grad()
    model.loss(clips(), QUESTIONS, ANSWERS)['loss'].backward()
    read = {id(p) for i in range(3) for p
            in model.backbone.trunk.visual.blocks[i].parameters()}
    clip = dict(model.backbone.trunk.named_parameters())
    assert all(p.requires_grad and p.dtype is torch.float32 for p in clip.values())
    assert all(p.grad is not None for p in clip.values() if id(p) in read)
    unread = {name for name, p in clip.items() if p.grad is None}
    assert unread and all('blocks.3.' in name or 'visual.norm.' in name for name in unread)
    assert not any(p.requires_grad for p in model.dialogue.language_model.parameters())
    assert model.backbone.trunk.training and not model.dialogue.language_model.training


def test_half_precision_is_for_what_is_frozen(folder):
    """The rest stays in float32, and so do its gradients; the start is the branch file's own."""
    model = tuning(folder, dict(dtype='bfloat16'))
    exact = tuning(folder)
    for name, parameter in model.named_parameters():
        expected = torch.float32 if name in trained(model) or 'output_gate' in name \
            else torch.bfloat16
        assert parameter.dtype is expected, name
    for name, parameter in trained(model).items():
        if 'branch' in name:
            assert torch.equal(parameter, dict(exact.named_parameters())[name])
    with torch.autocast('cpu', torch.bfloat16):
        loss, found = gradients(model, clips(), QUESTIONS, ANSWERS)
    expected, right = gradients(exact, clips(), QUESTIONS, ANSWERS)
    assert float(loss) == pytest.approx(float(expected), rel=0.02)
    for name, gradient in found.items():
        assert gradient.dtype is torch.float32
        cosine = torch.cosine_similarity(gradient.flatten(), right[name].flatten(), dim=0)
        assert cosine > 0.9, name


def test_a_long_sequence_loses_the_end_of_its_answer(folder):
    whole = tuning(folder)
    tokens = whole.dialogue.tokens(clips(1))
    prompt = whole.dialogue.inputs(tokens, ['who?'])[1].shape[1]
    for left in (3, 1):
        model = tuning(folder, max_tokens=prompt + left)
        embeds, mask, labels = model.sequences(tokens, ['who?'], ['a cat'])
        assert embeds.shape[1] == mask.sum() == prompt + left
        assert labels[0, prompt:].tolist() == ids(' a c')[:left]
    with pytest.raises(ValueError, match=f'^a prompt takes {prompt} tokens with its video, and '
                                         f'max_tokens is {prompt}; take fewer frames'):
        tuning(folder, max_tokens=prompt).sequences(tokens, ['who?'], ['a cat'])
