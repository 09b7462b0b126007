"""Gradients of tuning: over several processes, and through each kind of dialogue model."""
import pytest
import torch

from mmbt.conversation import DialogueTuning

from ...support.processes import run_splits
from ...support.tiny import stir
from .tiny_dialogue import BRANCH, blip2, instructblip, llava, tokenizer, videos
from .tiny_tuning import ANSWERS, QUESTIONS, gradients, trained, write_models
from .tuning_ranks import SPLITS, work

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def found(tmp_path_factory):
    """The loss and gradients of every split."""
    folder = tmp_path_factory.mktemp('ranks')
    write_models(folder)
    run_splits(SPLITS, work, folder)
    return {split: torch.load(folder / f'{split}.pt', weights_only=True) for split in SPLITS}


@pytest.mark.parametrize('split', [name for name in SPLITS if name != 'one'])
def test_processes_with_uneven_answers_have_the_gradient_of_one(split, found):
    """Answers of 7, 35 and 5 tokens: a mean of the processes' means would be far off.

    No parameter is left out either: data parallelism would wait for its gradient.
    """
    alone, together = found['one'], found[split]
    assert alone.keys() == together.keys() and len(alone) > 20
    for name, expected in alone.items():
        torch.testing.assert_close(together[name], expected, rtol=0,
                                   atol=1e-5 * float(expected.abs().max()) + 1e-12)
    assert all(gradient.any() for gradient in alone.values())


KINDS = dict(
    llava=lambda: dict(type='LLaVADialogue', model=llava().float(), tokenizer=tokenizer()),
    instructblip=lambda: dict(
        type='InstructBLIPDialogue', model=instructblip().float(), tokenizer=tokenizer(),
        question_tokenizer=tokenizer(False)),
    minigpt4=lambda: dict(
        type='MiniGPT4Dialogue', model=blip2().float(), tokenizer=tokenizer()))


@pytest.mark.parametrize('kind', KINDS)
def test_every_dialogue_model_can_be_tuned(kind):
    """Gradients reach all that is trained, through Q-Former and language model; those stay."""
    torch.manual_seed(0)
    model = DialogueTuning(dict(KINDS[kind](), backbone=dict(BRANCH)), from_scratch=True)
    stir(model.backbone.branch)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    frozen = {name: value.clone() for name, value in model.named_parameters()
              if name not in trained(model)}
    assert {name.split('.')[0] for name in before} == {
        'backbone', 'balance', 'projector', 'fingerprint'}
    imgs = videos(model.backbone.trunk.image_size[0]).float()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss, found = gradients(model, imgs, QUESTIONS[:2], ANSWERS[:2])
    optimizer.step()
    assert all(gradient.any() for gradient in found.values())
    after = model.state_dict()
    still = {name for name, value in before.items() if torch.equal(value, after[name])}
    assert still == {name for name in before if name.startswith('fingerprint.')} | {
        'backbone.branch.output_gate.weight'}
    parameters = dict(model.named_parameters())
    assert all(torch.equal(value, parameters[name]) for name, value in frozen.items())
    assert len(frozen) > 20
    with torch.no_grad():
        assert model.loss(imgs, QUESTIONS[:2], ANSWERS[:2])['loss'] < loss
