"""What tuning starts from and writes, and what is refused."""
import copy

import pytest
import torch
from mmengine.runner.checkpoint import get_state_dict, load_state_dict

from mmbt.apis import load_branch, save_branch
from mmbt.conversation import DialogueTuning, LLaVAV1Dialogue
from mmbt.models import BTAdapter, HuggingFaceTrunk
from mmbt.models.checkpoints.branch_file import outside_clip

from ...support.tiny import stir
from .folders import clip_folder
from .tiny_dialogue import BRANCH, FRAMES
from .tiny_tuning import ANSWERS, QUESTIONS, clips, dialogue, trained, tuning

SCRATCH = dict(branch=None)


@pytest.fixture
def stirred(folder):
    """A model all of whose trained weights have moved."""
    model = tuning(folder)
    stir(torch.nn.ParameterList(trained(model).values()))
    return model.eval()


def refused(message, call, *args, error=ValueError, **kwargs):
    """The error is of one line and says what it should."""
    with pytest.raises(error, match=message) as caught:
        call(*args, **kwargs)
    assert len(str(caught.value).splitlines()) == 1


def logits(model):
    with torch.no_grad():
        embeds, mask = model.inputs(model.tokens(clips()), QUESTIONS)
        return model.language_model(inputs_embeds=embeds, attention_mask=mask).logits


def chat(folder, path):
    """What chat builds from a file."""
    settings = dialogue(folder, branch=str(path))
    settings.pop('type')
    return LLaVAV1Dialogue(**settings)


def test_it_starts_from_the_branch_file_and_the_folder_s_projector(folder):
    """What :func:`chat` would answer before any tuning."""
    assert torch.equal(logits(tuning(folder).dialogue), logits(chat(folder, folder / 'branch.pth')))


def test_an_untrained_branch_must_be_asked_for(folder):
    refused('^instruction tuning starts from a trained branch: set model.dialogue.branch to its '
            'file, such as branch_epoch_1.pth of pretraining, or model.from_scratch=True$',
            tuning, folder, SCRATCH)
    tuning(folder, SCRATCH, from_scratch=True)
    tuning(folder, dict(backbone=dict(type='FrameMean'), branch=None))  # has no branch
    refused('^from_scratch=True starts from an untrained branch and not from .*branch.pth; set '
            'model.dialogue.branch=None, or from_scratch=False$', tuning, folder, from_scratch=True)
    refused('^branch file nowhere.pth is missing: tuning starts from the one that pretraining '
            'writes; set model.dialogue.branch$', DialogueTuning,
            dict(type='not looked at', branch='nowhere.pth'), error=FileNotFoundError)
    refused('^a FrameMean holds no conversation; model.dialogue is', DialogueTuning,
            dict(type='FrameMean', trunk=torch.nn.Identity()))


@pytest.mark.parametrize('way', ['branch file', 'of the dialogue model', 'checkpoint'])
def test_what_was_tuned_is_what_chat_loads(way, folder, stirred, tmp_path):
    """Logits are the same bit for bit; with the branch file that tuning started from they are not.

    All that was trained comes along: the gates, the weight of the branch, the projector.
    """
    path = tmp_path / 'tuned.pth'
    if way == 'checkpoint':
        torch.save(dict(state_dict=get_state_dict(stirred)), path)
    else:
        save_branch(stirred if way == 'branch file' else stirred.dialogue, path)
    model = chat(folder, path)
    ours, theirs = (outside_clip(each.tuned_parts()) for each in (stirred, model))
    assert ours.keys() == theirs.keys() and any('gates.' in name for name in ours)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert not any(value.requires_grad for value in theirs.values())
    assert torch.equal(logits(model), logits(stirred.dialogue))
    model = chat(folder, folder / 'branch.pth')
    assert (logits(model) - logits(stirred.dialogue)).abs().max() > 0.1
    load_branch(model, path)
    assert torch.equal(logits(model), logits(stirred.dialogue))


def test_tuning_goes_on_from_a_tuned_file(folder, stirred, tmp_path):
    save_branch(stirred, tmp_path / 'tuned.pth')
    model = tuning(folder, dict(branch=str(tmp_path / 'tuned.pth')))
    assert torch.equal(logits(model.dialogue), logits(stirred.dialogue))
    assert set(trained(model)) == set(trained(stirred))


@pytest.mark.parametrize('way', ['mmengine', 'torch'])
def test_a_checkpoint_holds_what_is_trained_and_loads(way, folder, stirred, capsys):
    state = get_state_dict(stirred) if way == 'mmengine' else stirred.state_dict()
    weights = {name for name in state if not name.startswith('fingerprint.')}
    assert weights == set(outside_clip(stirred.tuned_parts()))
    assert not any(value.requires_grad for value in state.values())
    model = tuning(folder)
    before = copy.deepcopy(dict(model.named_parameters()))
    if way == 'mmengine':
        load_state_dict(model, state, strict=True)
    else:
        model.load_state_dict(state)
    assert 'missing' not in capsys.readouterr().out
    for name, value in model.named_parameters():
        assert torch.equal(value, dict(stirred.named_parameters())[name])
        assert torch.equal(value, before[name]) == (name not in trained(model)), name


def test_files_that_do_not_fit_are_refused(folder, stirred, tmp_path):
    state = get_state_dict(stirred)
    half = {name: value for name, value in state.items() if not name.startswith('balance.')}
    model = tuning(folder)
    before = copy.deepcopy(dict(model.named_parameters()))
    for change, message in (
            (half, r'missing: balance\.weight\)'),
            ({**state, 'projector.weight': torch.zeros(8, 16)},
             r'other shapes: projector\.weight is \(8, 16\) there, \(16, 16\) here\)'),
            ({**state, 'other': torch.zeros(1)}, r'unknown: other\)'),
            ({**state, 'fingerprint.blocks.0.fc1.bias': torch.ones(14)},
             r'another CLIP than the one at hand: they differ in blocks\.0\.fc1\.bias')):
        torch.save(dict(state_dict=change), tmp_path / 'other.pth')
        refused(message, chat, folder, tmp_path / 'other.pth')
        refused(message, load_state_dict, model, change)
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters())
    backbone = BTAdapter(HuggingFaceTrunk(str(folder / 'clip')), num_layers=3, num_frames=FRAMES)
    save_branch(stirred, tmp_path / 'tuned.pth')
    refused('another architecture', load_branch, backbone, tmp_path / 'tuned.pth')


def test_another_clip_is_refused_at_the_start(folder, tmp_path):
    stir(tower := clip_folder(tmp_path / 'clip'))
    tower.save_pretrained(tmp_path / 'clip')
    refused('another CLIP', tuning, folder, dict(vision=str(tmp_path / 'clip')))


def test_a_tuned_clip_is_in_the_checkpoint_and_in_chat(folder, tmp_path):
    """Separate-ST of Table 1: no branch file can be told apart, the checkpoint serves."""
    change = dict(backbone=dict(type='SeparateST', num_frames=FRAMES), branch=None)
    model = tuning(folder, change, from_scratch=True, train_clip=True)
    stir(torch.nn.ParameterList(trained(model).values()), 0.05)
    model.eval()
    refused('CLIP is trained too', save_branch, model, tmp_path / 'tuned.pth')
    torch.save(dict(state_dict=get_state_dict(model)), tmp_path / 'tuned.pth')
    settings = dialogue(folder, backbone=change['backbone'], branch=str(tmp_path / 'tuned.pth'))
    settings.pop('type')
    assert torch.equal(logits(LLaVAV1Dialogue(**settings)), logits(model.dialogue))
    settings['branch'] = None
    assert not torch.equal(logits(LLaVAV1Dialogue(**settings)), logits(model.dialogue))
    again = tuning(folder, change, from_scratch=True, train_clip=True)
    load_state_dict(again, get_state_dict(model), strict=True)
    assert torch.equal(logits(again.eval().dialogue), logits(model.dialogue))


def test_the_loss_is_that_of_the_loaded_model(folder, stirred, tmp_path):
    """In float16 and back: chat's precision does not reach what is trained."""
    save_branch(stirred, tmp_path / 'tuned.pth')
    model = tuning(folder, dict(branch=str(tmp_path / 'tuned.pth'), dtype='bfloat16',
                                backbone=dict(BRANCH))).eval()
    with torch.autocast('cpu', torch.bfloat16), torch.no_grad():
        half = float(model.loss(clips(), QUESTIONS, ANSWERS)['loss'])
    with torch.no_grad():
        whole = float(stirred.loss(clips(), QUESTIONS, ANSWERS)['loss'])
    assert half == pytest.approx(whole, rel=0.03)
    for name, value in outside_clip(stirred.tuned_parts()).items():
        assert torch.equal(outside_clip(model.tuned_parts())[name], value)
