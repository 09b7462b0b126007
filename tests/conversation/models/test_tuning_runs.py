"""Whole runs of the tuning config: what is learned, from what, and that chat goes on from it."""
import math

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from mmbt.apis import VideoChat, init_dialogue
from mmbt.files.safe_load import weights_only

from ...support.tools import run as tool
from .tuning_world import LEFT, PAIRS, RIGHT, ROUNDS, run, tiny_config, write_world

pytestmark = pytest.mark.slow

# An answer is a letter and the end of a sequence. Who cannot tell the letter from the other one is
# right with a half at best, and loses ln 2 on one of the two tokens.
BLIND = math.log(2) / 2
EPOCHS = 4


@TRANSFORMS.register_module()
class ShuffleFrames(BaseTransform):
    """Forget the frames' order."""

    def transform(self, results):
        results['imgs'] = results['imgs'][np.random.permutation(len(results['imgs']))]
        return results


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp('world')
    write_world(path)
    return path


@pytest.fixture(scope='module')
def tuned(folder):
    """A run with the branch: its config, runner and losses."""
    config = tiny_config(folder, folder / 'tuned', epochs=EPOCHS)
    return (config, *run(config))


def test_the_branch_learns_what_only_the_order_of_frames_tells(tuned):
    _, _, losses = tuned
    assert len(losses) == EPOCHS * ROUNDS
    assert losses[0] > BLIND and np.mean(losses[-5:]) < BLIND / 5


def test_clip_frame_by_frame_does_not(folder):
    """Never better than a guess, which it has learned to make."""
    config = tiny_config(folder, folder / 'mean', epochs=EPOCHS,
                         **{'model.dialogue.branch': None, 'model.dialogue.backbone': dict(
                             _delete_=True, type='FrameMean')})
    _, losses = run(config)
    assert min(losses) > BLIND - 1e-4 and np.mean(losses[-5:]) < 2 * BLIND


def test_nor_does_the_branch_where_the_order_is_lost(folder):
    config = tiny_config(folder, folder / 'shuffled', epochs=EPOCHS)
    config.train_dataloader.dataset.pipeline.insert(-1, dict(type='ShuffleFrames'))
    _, losses = run(config)
    assert BLIND * 0.8 < np.mean(losses[-15:]) < 2 * BLIND


@pytest.mark.parametrize('file', [f'branch_epoch_{EPOCHS}.pth', f'epoch_{EPOCHS}.pth'])
def test_chat_goes_on_where_tuning_ended(file, folder, tuned):
    """The branch file or a checkpoint, one flag: the same logits bit for bit, and right answers."""
    config, runner, _ = tuned
    chat = init_dialogue(config, branch=str(folder / 'tuned' / file))
    ours = runner.model.dialogue.eval()
    for answer in (LEFT, RIGHT):
        for pair in range(PAIRS):
            talk = VideoChat(chat, folder / 'videos' / f'{answer}{pair}')
            assert talk.ask('?') == answer
            logits = [model.language_model(inputs_embeds=embeds, attention_mask=mask).logits
                      for model in (chat, ours)
                      for embeds, mask in [model.inputs(talk.tokens, ['?'])]]
            assert torch.equal(*logits)
    assert not any(p.requires_grad for p in chat.parameters())
    start = init_dialogue(config, branch=str(folder / 'branch.pth'))
    for gate, before in zip(chat.backbone.branch.gates, start.backbone.branch.gates):
        assert not torch.equal(gate.weight, before.weight)  # the gates came along


def test_the_tools_train_and_talk(folder, tmp_path, monkeypatch, capsys):
    """From a config file to an answer; a start without a branch is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMBT_TRACEBACK', raising=False)
    config = tiny_config(folder, tmp_path / 'run')
    config.custom_hooks.append(dict(type='TrainingMonitorHook', interval=5))
    config.dump('tune.py')
    assert tool(monkeypatch, 'train', 'tune.py') is None
    assert (tmp_path / 'run/training.png').is_file()
    video = folder / 'videos' / f'{LEFT}0'
    capsys.readouterr()
    assert tool(monkeypatch, 'chat', 'tune.py', video, '--branch', 'run/branch_epoch_1.pth',
                '--device', 'cpu', '--question', '?') is None
    model = init_dialogue('tune.py', branch='run/branch_epoch_1.pth')
    assert capsys.readouterr().out.strip() == VideoChat(model, video).ask('?')
    error = tool(monkeypatch, 'train', 'tune.py', '--cfg-options', 'model.dialogue.branch=None')
    assert error.startswith('error: instruction tuning starts from a trained branch: set ')
    assert '\n' not in error


def test_files_hold_what_was_trained(folder, tuned):
    """Far fewer numbers than the language model has, and the branch's way to the joint space."""
    _, runner, _ = tuned
    model = runner.model
    branch = torch.load(folder / f'tuned/branch_epoch_{EPOCHS}.pth', weights_only=True)
    trained = {f'backbone.branch.{name}' for name, _ in model.backbone.branch.named_parameters()}
    names = {name for name in branch['state_dict'] if not name.startswith('fingerprint.')}
    assert names == trained | {'balance.weight', 'projector.weight', 'projector.bias'}
    with weights_only():
        checkpoint = torch.load(folder / f'tuned/epoch_{EPOCHS}.pth', map_location='cpu')
    assert checkpoint['state_dict'].keys() == branch['state_dict'].keys()
    for name, value in checkpoint['state_dict'].items():
        assert torch.equal(value, branch['state_dict'][name])
