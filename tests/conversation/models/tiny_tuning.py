"""A tiny LLaVA v1 that is tuned, and what the tests of tuning share."""
import torch

from mmbt.conversation import DialogueTuning
from mmbt.models import BTAdapter, HuggingFaceTrunk
from mmbt.models.checkpoints.branch_file import save_branch

from ...support.tiny import stir
from .folders import clip_folder, llava_v1_folder
from .tiny_dialogue import BRANCH, FRAMES

QUESTIONS = ['who?', 'what happens in the end?', 'is it red or blue']
ANSWERS = ['a cat', 'it falls, and then nothing at all', 'red']


def write_models(folder):
    """A CLIP, a LLaVA v1 in its authors' form, and a branch trained beside the whole CLIP."""
    clip_folder(folder / 'clip')
    llava_v1_folder(folder / 'llava')
    torch.manual_seed(4)
    backbone = BTAdapter(HuggingFaceTrunk(str(folder / 'clip')), num_layers=3, num_frames=FRAMES)
    stir(backbone.branch)
    save_branch(backbone, folder / 'branch.pth')


def dialogue(folder, **change):
    """The config of the dialogue model, which starts from the branch file."""
    return dict(dict(type='LLaVAV1Dialogue', model=str(folder / 'llava'),
                     vision=str(folder / 'clip'), backbone=dict(BRANCH),
                     branch=str(folder / 'branch.pth')), **change)


def tuning(folder, dialogue_change=None, **change):
    """A model that is tuned."""
    return DialogueTuning(dialogue(folder, **(dialogue_change or {})), **change)


def clips(count=3):
    """(B, T, 3, H, W) random frames."""
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, FRAMES, 3, 12, 12, generator=generator)


def trained(model):
    """The parameters that are trained, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def gradients(model, imgs, questions, answers):
    """The loss, and its gradients by name."""
    model.zero_grad(set_to_none=True)
    loss = model.loss(imgs, questions, answers)['loss']
    loss.backward()
    return loss.detach(), {name: p.grad.clone() for name, p in trained(model).items()}
