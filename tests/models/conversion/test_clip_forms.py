"""Pretraining files beside OpenAI's CLIP: older names, gates, time rows, what is dropped."""
import math

import pytest
import safetensors.torch
import torch
from mmengine.config import Config

from mmbt.apis import init_model
from mmbt.models.checkpoints.conversion import describe

from .files import PARITY, converted, released, save


@pytest.fixture(scope='module')
def current(tmp_path_factory):
    """The weights that gated.pth becomes."""
    return converted(PARITY / 'gated.pth', tmp_path_factory.mktemp('gated'))[1]


def same(a, b):
    """Whether two state dicts are the same."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def old_branch(state):
    return {name.replace('btadapter_', 'timesFPN_'): value for name, value in state.items()}


def gates_by_layer(state):
    gates = {'backbone.balance.0.param': state.pop('backbone.balance2')}
    gates['backbone.balance.1.param'] = gates['backbone.balance.0.param'].clone()
    gates['backbone.balance.2.param'] = state.pop('backbone.balance1')
    return {**state, **gates}


def flat_cls(state):
    cls = state['backbone.btadapter_cls_token']
    return {**state, 'backbone.btadapter_cls_token': cls.reshape(-1)}


def everything_older(state):
    return old_branch(gates_by_layer(flat_cls(state)))


@pytest.mark.parametrize('older', [old_branch, gates_by_layer, flat_cls, everything_older])
def test_older_names_are_the_same_weights(older, current, tmp_path):
    """Also bare, without an mmengine file around them, and under any suffix."""
    path = save(older(released()), tmp_path / 'in.bin')
    assert same(converted(path, tmp_path)[1], current)


def test_files_of_safetensors_and_of_old_torch_are_read_too(current, tmp_path):
    safetensors.torch.save_file(released(), tmp_path / 'in.weights')
    assert same(converted(tmp_path / 'in.weights', tmp_path)[1], current)
    torch.save(dict(state_dict=released(), optimizer={}), tmp_path / 'in.pth',
               _use_new_zipfile_serialization=False)
    done, state = converted(tmp_path / 'in.pth', tmp_path)
    assert same(state, current)
    assert 'not used: optimizer' in describe(done, 'in.pth', 'out.pth')


def test_gates_turn_round_and_grow(tmp_path):
    """The released code mixes sigmoid(1e4 balance1) CLIP + ... branch at the output, 1e2 and
    balance2 before. At balance1 = ln(3) / 1e4 CLIP's share is 3/4, so that of the branch is 1/4 and
    W_b is -ln 3; at balance2 = -ln(9) / 1e2 CLIP's is 1/10, the branch's 9/10 and W_b ln 9."""
    state = released()
    state['backbone.balance1'].fill_(math.log(3) / 1e4)
    state['backbone.balance2'].fill_(-math.log(9) / 1e2)
    done, ours = converted(save(state, tmp_path / 'in.pth'), tmp_path)
    branch = 'backbone.branch.'
    torch.testing.assert_close(ours[f'{branch}output_gate.weight'], torch.full((64,), -1.0986123))
    for i in range(2):
        torch.testing.assert_close(ours[f'{branch}gates.{i}.weight'], torch.full((64,), 2.1972246))
    assert f'{branch}gates.2.weight' not in ours
    report = describe(done, 'in.pth', 'out.pth')
    assert 'gates.0: min 0.900, mean 0.900, max 0.900' in report
    assert 'output_gate: min 0.250, mean 0.250, max 0.250' in report


def test_each_layer_keeps_its_own_older_gate(tmp_path):
    state = gates_by_layer(released())
    for i, value in enumerate((0.01, 0.02, 0.0003)):
        state[f'backbone.balance.{i}.param'].fill_(value)
    ours = converted(save(state, tmp_path / 'in.pth'), tmp_path)[1]
    found = [ours[f'backbone.branch.{gate}.weight'][0].item()
             for gate in ('gates.0', 'gates.1', 'output_gate')]
    assert found == pytest.approx([-1, -2, -3], rel=1e-6)


def test_gates_of_half_precision_do_not_overflow(tmp_path):
    """-1e4 x 60 lies beyond the 65,504 that half precision ends at."""
    state = {name: value.half() for name, value in released().items()}
    state['backbone.balance1'].fill_(60)
    ours = converted(save(state, tmp_path / 'in.pth'), tmp_path)[1]
    assert (ours['backbone.branch.output_gate.weight'] == -6e5).all()


def test_without_gates_branch_and_clip_are_added(tmp_path):
    done, ours = converted(PARITY / 'plain.pth', tmp_path)
    assert not [name for name in ours if 'gate' in name]
    assert Config.fromfile(tmp_path / 'out.py').model.backbone.combination == 'add'
    assert 'no gates: branch and CLIP are added up' in describe(done, 'in.pth', 'out.pth')


@pytest.mark.parametrize('frames, kept', [(None, 8), (3, 3), (64, 64)])
def test_rows_of_the_time_embedding(frames, kept, tmp_path):
    """The file's 64 rows are not kept in OUT.pth behind a view of the first ones."""
    _, ours = converted(PARITY / 'gated.pth', tmp_path, frames=frames)
    rows = ours['backbone.branch.time_embedding']
    assert torch.equal(rows, released()['backbone.btadapter_time_embed.weight'][:kept])
    assert rows.untyped_storage().nbytes() == kept * 64 * 4
    config = Config.fromfile(tmp_path / 'out.py')
    assert config.model.backbone == dict(type='BTAdapter', num_layers=3, num_frames=kept,
                                         combination='weighted', variant='released')


@torch.no_grad()
@pytest.mark.parametrize('frames', [3, 8, 12, 64])
def test_rows_that_were_never_trained_are_never_read(frames, tmp_path):
    """Whatever the file has in rows 8 to 63, the model computes the same, at any length."""
    state = released()
    imgs = torch.randn(1, frames, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    videos = []
    for name, value in (('as_it_is', None), ('poisoned', torch.nan)):
        if value is not None:
            state['backbone.btadapter_time_embed.weight'][8:] = value
        (tmp_path / name).mkdir()
        converted(save(state, tmp_path / name / 'in.pth'), tmp_path / name)
        model = init_model(tmp_path / name / 'out.py', str(tmp_path / name / 'out.pth'))
        videos.append(model.encode_video(imgs))
    assert videos[0].isfinite().all() and torch.equal(*videos)


def test_what_is_not_learned_is_dropped_and_said(current, tmp_path):
    extra = {'text_backbone.text_model.embeddings.position_ids': torch.arange(32)[None],
             'backbone.position_ids': torch.arange(17)[None],
             'logit_scale': torch.tensor(4.6)}
    path = save({**released(), **extra}, tmp_path / 'in.pth')
    done, ours = converted(path, tmp_path)
    assert same(ours, current)
    report = describe(done, path, tmp_path / 'out.pth')
    assert [f'dropped: {name}, ' in report for name in extra] == [True, True, True]


def test_without_mbtas_projection_the_config_has_no_mbta(tmp_path):
    state = {n: value for n, value in released().items() if not n.startswith('extra_proj')}
    done, ours = converted(save(state, tmp_path / 'in.pth'), tmp_path)
    heads = Config.fromfile(tmp_path / 'out.py').model.heads
    assert [head.type for head in heads] == ['VTCHead', 'MBCAHead']
    assert "MBTA's projection is not in the file" in describe(done, 'in.pth', 'out.pth')


def test_the_file_is_no_larger_than_it_need_be(tmp_path):
    """Weights are mapped from the input; none may drag the whole of it along."""
    _, ours = converted(PARITY / 'gated.pth', tmp_path)
    weights = sum(value.numel() * value.element_size() for value in ours.values())
    assert (tmp_path / 'out.pth').stat().st_size < weights + 2**17
