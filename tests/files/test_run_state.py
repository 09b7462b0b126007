"""What a checkpoint says of a run beside its weights ends no process and deletes no file."""
import copy

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.optim.scheduler import LinearLR, OneCycleLR
from mmengine.runner import Runner

import mmbt  # noqa: F401
import toys
from mmbt.files.run_state import keep_own_files

WRAPPERS = (OptimWrapper, AmpOptimWrapper)


def stepped(wrapper=OptimWrapper, shape=(3, 2), **settings):
    """An optimizer after a step, and its weight."""
    weight = torch.nn.Parameter(torch.ones(shape).t())
    weight.grad = torch.full_like(weight, 0.5)
    optim = wrapper(optimizer=torch.optim.AdamW([weight], **{'fused': True, **settings}))
    optim.optimizer.step()
    return optim, weight


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('wrapper', WRAPPERS)
@pytest.mark.parametrize('name, value', [
    ('exp_avg', torch.zeros(0)), ('exp_avg_sq', torch.zeros(1)), ('exp_avg', torch.zeros(2, 4)),
    ('step', torch.zeros(3)), ('exp_avg', None), ('other', torch.zeros(3)), ('exp_avg', 'x')])
def test_moments_of_another_size_are_refused(wrapper, name, value):
    """A fused step reads and writes beyond them."""
    optim, _ = stepped(wrapper)
    state = optim.state_dict()
    state['state'][0][name] = value
    if value is None:
        del state['state'][0][name]
    with pytest.raises(ValueError, match='its optimizer') as refusal:
        optim.load_state_dict(state)
    assert '\n' not in str(refusal.value)


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('wrapper', WRAPPERS)
def test_moments_are_laid_out_as_their_weight(wrapper):
    """Others' strides, with one memory for two values among them, give the same step."""
    (right, one), (optim, other) = stepped(wrapper), stepped(wrapper)
    state = copy.deepcopy(optim.state_dict())
    moments = state['state'][0]
    moments['exp_avg'] = torch.arange(6.).view(2, 3)
    moments['exp_avg_sq'] = torch.as_strided(torch.ones(6), (2, 3), (0, 0), 5)
    right.optimizer.state[one].update(exp_avg=moments['exp_avg'].t().contiguous().t(),
                                      exp_avg_sq=torch.ones(3, 2).t())
    optim.load_state_dict(state)
    assert optim.optimizer.state[other]['exp_avg_sq'].stride() == other.stride() == (1, 2)
    for each, weight in ((right, one), (optim, other)):
        weight.grad = torch.full_like(weight, 0.5)
        each.optimizer.step()
    assert torch.equal(one, other)


def test_how_a_step_is_computed_is_said_by_the_config():
    state = stepped(fused=True, amsgrad=True, lr=0.5)[0].state_dict()
    optim, _ = stepped(fused=False)
    optim.load_state_dict(state)
    group = optim.param_groups[0]
    assert (group['fused'], group['amsgrad'], group['lr']) == (False, False, 0.5)


@pytest.mark.parametrize('name, value', [('lr', 'x'), ('lr', None), ('betas', 7), ('lr', True),
                                         ('betas', ('x', 'y')), ('weight_decay', [])])
def test_settings_of_an_optimizer_that_are_no_numbers_are_refused(name, value):
    optim, _ = stepped()
    state = optim.state_dict()
    state['param_groups'][0][name] = value
    with pytest.raises(ValueError, match=f'^{name} of its optimizer is a {type(value).__name__}'):
        optim.load_state_dict(state)
    del state['param_groups'][0][name]
    with pytest.raises(ValueError, match=f'a group of its optimizer has no {name}'):
        optim.load_state_dict(state)
    with pytest.raises(ValueError, match='no groups of settings'):
        optim.load_state_dict(dict(state, param_groups=None))


@pytest.mark.parametrize('name, value', [('last_step', 'x'), ('base_values', ['x']), ('end', None),
                                         ('anneal_func', 'x'), ('by_epoch', 3)])
def test_attributes_of_a_schedule_that_are_of_another_kind_are_refused(name, value):
    optim, _ = stepped()
    schedule = OneCycleLR(optim, 0.1, total_steps=9)
    state = schedule.state_dict()
    with pytest.raises(ValueError, match=f'^{name} of OneCycleLR is a '):
        schedule.load_state_dict({**state, name: value})


def test_settings_in_a_list_are_those_in_a_tuple():
    """A config that is read from JSON has lists."""
    state = stepped(betas=(0.5, 0.6))[0].state_dict()
    optim, _ = stepped(betas=[0.9, 0.99])
    optim.load_state_dict(state)
    assert tuple(optim.param_groups[0]['betas']) == (0.5, 0.6)


def test_a_file_gives_a_schedule_no_other_attributes():
    optim, _ = stepped()
    schedule = LinearLR(optim, 0.1, end=4)
    state = schedule.state_dict()
    schedule.load_state_dict({**state, 'last_step': 2, 'step': 5, 'optimizer': 'x'})
    assert schedule.last_step == 2 and callable(schedule.step) and schedule.optimizer is optim


def test_files_of_a_run_lie_in_its_folder():
    info = dict(best_ckpt='/home/me/thesis.txt', best_score='x', keep_ckpt_ids=['../x'], epoch=3)
    info['best_ckpt_toy/error'] = '/old/place/best_error_epoch_3.pth'
    keep_own_files(info, '/run')
    assert info == {'epoch': 3, 'best_ckpt_toy/error': '/run/best_error_epoch_3.pth'}
    own = dict(best_ckpt=None, best_score=0.5, keep_ckpt_ids=[1, 2])
    assert keep_own_files(own, '/run') is None
    assert own == dict(best_ckpt=None, best_score=0.5, keep_ckpt_ids=[1, 2])


@pytest.mark.filterwarnings('ignore')
def test_resuming_deletes_no_file_that_a_checkpoint_names(tmp_path):
    """MMEngine deletes the best checkpoint of before when there is a better one."""
    def train(epochs, **changes):
        cfg = Config.fromstring(toys.CONFIG, '.py')
        cfg.merge_from_dict({'work_dir': str(tmp_path / 'run'), 'train_cfg.max_epochs': epochs,
                             'experiment_name': f'{tmp_path.name}-{epochs}', **changes})
        Runner.from_cfg(cfg).train()

    train(1)
    theirs, precious = tmp_path / 'run' / 'epoch_1.pth', tmp_path / 'best_of_mine.pth'
    checkpoint = torch.load(theirs, weights_only=False)
    checkpoint['message_hub']['runtime_info'].update(best_ckpt=str(precious), best_score=9e9)
    torch.save(checkpoint, theirs)
    precious.write_text('mine')
    train(2, resume=True, load_from=str(theirs))
    assert precious.read_text() == 'mine'
    assert list((tmp_path / 'run').glob('best_*_epoch_2.pth'))
