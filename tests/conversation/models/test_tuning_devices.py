"""Tuning in mixed precision followed on a GPU that is not there: no dtype and no device clashes."""
import pytest
import torch

from mmbt.lab.benchmark.fake_gpu import DEVICE, fake_gpu, to_fake_gpu

from .tiny_dialogue import BRANCH, FRAMES
from .tiny_tuning import ANSWERS, QUESTIONS, tuning

pytestmark = pytest.mark.slow

BACKBONES = {
    'BTAdapter': BRANCH,
    **{name: dict(type=name) for name in ('FrameMean', 'STPooling', 'STAdapter')},
    **{name: dict(type=name, num_frames=FRAMES) for name in ('SeparateST', 'JointST', 'STAN')}}


@pytest.mark.parametrize('train_clip', [False, True])
@pytest.mark.parametrize('name', BACKBONES)
def test_a_frozen_half_beside_a_trained_whole(name, train_clip, folder):
    """Float16 for what is frozen, float32 for what is trained, under autocast, up to the logits."""
    model = tuning(folder, dict(branch=None, backbone=BACKBONES[name], dtype='float16'),
                   from_scratch=True, train_clip=train_clip)
    # Where it is not eager, transformers before 5 looks into the mask on the host.
    model.dialogue.language_model.config._attn_implementation = 'eager'
    with fake_gpu():
        to_fake_gpu(model)
        imgs = torch.empty(3, FRAMES, 3, 12, 12, device=DEVICE)
        with torch.autocast(DEVICE, torch.float16):
            embeds, mask, labels = model.sequences(
                model.dialogue.tokens(imgs), QUESTIONS, ANSWERS)
            logits = model.dialogue.language_model(
                inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits
    assert {each.device.type for each in (embeds, mask, labels, logits)} == {DEVICE}
    assert embeds.dtype is logits.dtype is torch.float16 and logits.requires_grad
    assert {p.dtype for p in model.dialogue.language_model.parameters()} == {torch.float16}
