"""A forward pass on a GPU that is not there: one device, no wait of the host, memory by hand."""
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.optim import OptimWrapper
from torch import nn
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.testing._internal.distributed.fake_pg import FakeStore

import mmbt  # noqa: F401
from mmbt.lab.benchmark.fake_gpu import DEVICE, LiveMemory, fake_gpu, to_fake_gpu
from mmbt.models import losses as loss_functions

pytestmark = pytest.mark.slow

TINY = dict(
    embed_dim=16,
    vision_cfg=dict(image_size=12, patch_size=4, width=16, layers=4, head_width=8),
    text_cfg=dict(context_length=8, vocab_size=60, width=16, heads=2, layers=2),
    quick_gelu=True)
MASKED = dict(mask=dict(type='TubeMask'), heads=('VTCHead', 'MBTAHead', 'MBCAHead'))
WHOLE = dict(mask=None, heads=('VTCHead', ))
BACKBONES = {
    'paper': (dict(type='BTAdapter'), MASKED),
    'released': (dict(type='BTAdapter', variant='released'), MASKED),
    'no interaction': (dict(type='BTAdapter', interaction=False), MASKED),
    'each frame a mask': (dict(type='BTAdapter'), dict(MASKED, mask=dict(type='RandomMask'))),
    'more frames than trained': (dict(type='BTAdapter', num_frames=2), MASKED),
    'STAN': (dict(type='STAN'), WHOLE),
    'STAdapter': (dict(type='STAdapter'), WHOLE),
    'JointST': (dict(type='JointST'), WHOLE),
    'SeparateST': (dict(type='SeparateST'), WHOLE),
    'FrameMean': (dict(type='FrameMean'), WHOLE),
}


def build(backbone, mask, heads, **trunk):
    return MODELS.build(dict(
        type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=TINY, **trunk),
        backbone=backbone, mask=mask, heads=[dict(type=head) for head in heads])).train()


def batch():
    """Clips and captions on the host."""
    return dict(inputs=dict(
        imgs=[torch.zeros(4, 3, 12, 12, dtype=torch.uint8) for _ in range(3)],
        tokens=[torch.ones(1, 8, dtype=torch.int64) for _ in range(3)]))


def losses_on_fake_gpu(model, bf16):
    """The losses of a step, from uint8 frames and token ids on the host."""
    with fake_gpu():
        to_fake_gpu(model)
        model.data_preprocessor.to(DEVICE)
        inputs = model.data_preprocessor(batch(), True)['inputs']
        assert all(value.device.type == DEVICE for value in inputs.values())
        with torch.autocast(DEVICE, torch.bfloat16, enabled=bf16):
            return model(inputs, mode='loss')


@pytest.mark.parametrize('bf16', [False, True], ids=['fp32', 'bf16'])
@pytest.mark.parametrize('name', BACKBONES)
def test_a_step_s_losses_stay_on_the_gpu_and_never_wait(name, bf16):
    backbone, rest = BACKBONES[name]
    losses = losses_on_fake_gpu(build(backbone, **rest), bf16)
    assert len(losses) == len(rest['heads'])
    assert all(loss.device.type == DEVICE and loss.shape == () for loss in losses.values())


def test_so_do_those_of_an_open_trunk_and_of_one_in_float8():
    for trunk in (dict(frozen=False), dict(float8=True)):
        losses = losses_on_fake_gpu(build(dict(type='BTAdapter'), **MASKED, **trunk), bf16=True)
        assert all(loss.device.type == DEVICE for loss in losses.values())


def test_among_several_processes_the_hosts_alone_tell_sizes(monkeypatch):
    """The first of 4 processes, whose others are not there: what reads is the batch sizes."""
    monkeypatch.setattr(loss_functions, 'batch_sizes', lambda own: [own] * 4)
    torch.distributed.init_process_group('fake', rank=0, world_size=4, store=FakeStore())
    try:
        losses = losses_on_fake_gpu(build(dict(type='BTAdapter'), **MASKED), bf16=True)
    finally:
        torch.distributed.destroy_process_group()
    assert all(loss.device.type == DEVICE and loss.shape == () for loss in losses.values())


def follow_step(model, clip=None):
    """A whole training step on shapes, on the host: losses, gradients, AdamW."""
    with fake_gpu():
        to_fake_gpu(model, 'cpu')
        weights = [p for p in model.parameters() if p.requires_grad]
        optimizer = OptimWrapper(torch.optim.AdamW(weights, fused=True), clip_grad=clip)
        total, _ = model.parse_losses(
            model(model.data_preprocessor(batch(), True)['inputs'], mode='loss'))
        optimizer.update_params(total)
        return weights, optimizer


def test_gradients_and_the_optimizer_s_step_read_nothing_either():
    weights, optimizer = follow_step(build(dict(type='BTAdapter'), **MASKED))
    assert len(optimizer.optimizer.state) == len(weights) > 50


def test_logging_the_gradient_s_norm_is_a_wait():
    """MMEngine reads it between the gradients and the optimizer's step: LazyRuntimeInfoHook."""
    with pytest.raises(DataDependentOutputException):
        follow_step(build(dict(type='BTAdapter'), **MASKED), clip=dict(max_norm=1e9))


def test_autocast_is_at_work():
    """Products are in bfloat16, as on a GPU that is there."""
    with fake_gpu(), torch.autocast(DEVICE, torch.bfloat16):
        weight = torch.empty(4, 4, device=DEVICE)
        assert (weight @ weight).dtype is torch.bfloat16


def test_a_head_that_reads_a_value_is_found():
    class Reading(nn.Module):
        name = 'loss_reading'

        def forward(self, encoding, text, trunk):
            return encoding.video.sum() * (1 if encoding.video.mean().item() > 0 else 2)

    model = build(dict(type='BTAdapter'), **MASKED)
    model.heads.append(Reading())
    with pytest.raises(DataDependentOutputException):
        losses_on_fake_gpu(model, bf16=True)


def test_a_tensor_left_on_the_host_is_found():
    class Forgetful(nn.Module):
        name = 'loss_forgetful'

        def forward(self, encoding, text, trunk):
            return (encoding.video * torch.ones(16)).sum()

    model = build(dict(type='BTAdapter'), **MASKED)
    model.heads.append(Forgetful())
    with pytest.raises(RuntimeError, match='[Dd]evice'):
        losses_on_fake_gpu(model, bf16=True)


def test_live_memory_by_hand():
    """1,024 float32 are 4,096 bytes; views are free, what is deleted is given back."""
    live = LiveMemory(DEVICE)
    with fake_gpu(), live:
        first = torch.empty(1024, device=DEVICE)
        host = torch.empty(999)
        assert live.now == live.peak == 4096
        second = (first.view(32, 32).T + 1).bfloat16()
        assert (live.now, live.peak) == (4096 + 2048, 2 * 4096 + 2048)
        del first
        assert live.now == 2048
        del second, host
        assert (live.now, live.peak) == (0, 2 * 4096 + 2048)


def test_what_a_forward_pass_keeps_by_hand():
    """Linear to 8, ReLU, linear to 2 of 16 rows of 4: ReLU's result is kept, and the output."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    live = LiveMemory(DEVICE)
    with fake_gpu(), live:
        to_fake_gpu(model)
        weights = 4 * (4 * 8 + 8 + 8 * 2 + 2)
        assert live.now == weights
        rows = torch.empty(16, 4, device=DEVICE)
        out = model(rows)
        assert live.now == weights + 4 * 16 * (4 + 8 + 2)
        assert live.peak == weights + 4 * 16 * (4 + 8 + 8)
        with torch.no_grad():
            del out
            model(rows)
        assert live.now == weights + 4 * 16 * 4
