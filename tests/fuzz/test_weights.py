"""Files of weights that nobody meant: checkpoints, branch files, projectors, pickles."""
import functools
import pickle
import zipfile

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from mmengine.runner import CheckpointLoader, Runner
from safetensors.torch import save_file

import toys
from mmbt.apis import load_branch, save_branch
from mmbt.conversation.models.linear import linear_of, load_tensors
from mmbt.datasets.preparation.msvd import _msvd_pickle
from mmbt.files.safe_load import read_checkpoint
from mmbt.models import OpenCLIPTrunk
from mmbt.models.families.open_clip_weights import load_weights
from support.fuzz import Door, fuzz

from ..support.tiny import TINY, build_model
from .specs import save_spec, spec_of, write_json, zip_pickle

pytestmark = pytest.mark.slow

WEIGHTS = dict(a=torch.arange(40.).view(5, 8), b=torch.ones(3, dtype=torch.float16))


def resumable():
    """What mmengine's checkpoint hook keeps of a run."""
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(3)).sum().backward()
    optimizer.step()
    hub = MessageHub.get_instance('fuzz')
    hub.update_scalar('train/loss', 0.5)
    hub.update_info('epoch', 1)
    schedule = OneCycleParamScheduler(optimizer, 'lr', total_steps=9, eta_max=0.1)
    meta = dict(epoch=1, iter=4, seed=3, cfg='a = 1', dataset_meta=ConfigDict(classes=['a', 'b']))
    return dict(state_dict=model.state_dict(), optimizer=optimizer.state_dict(), meta=meta,
                message_hub=hub.state_dict(), param_schedulers=[schedule.state_dict()],
                more=dict(history=HistoryBuffer([1., 2.], [1, 1]), best=torch.ones(2).numpy()))


@functools.cache
def model():
    return build_model(heads=False)


def load(path):
    return CheckpointLoader.load_checkpoint(str(path), logger='silent')


def saved(content, **kwargs):
    """Examples: a file with this content."""
    def examples(folder):
        torch.save(content(), folder / 'example.pth', **kwargs)
        return [folder / 'example.pth']
    return examples


def pickled(content):
    """Examples: the pickle of a checkpoint alone; the records of its storages are kept."""
    def examples(folder):
        torch.save(content(), folder / 'whole.pth')
        with zipfile.ZipFile(folder / 'whole.pth') as file:
            examples.records = {name.split('/')[2]: file.read(name) for name in file.namelist()
                                if name.count('/') == 2 and name.split('/')[1] == 'data'}
            (folder / 'example.pkl').write_bytes(file.read('whole/data.pkl'))
        return [folder / 'example.pkl']
    return examples


PICKLED_RUN, PICKLED_WEIGHTS = pickled(resumable), pickled(lambda: WEIGHTS)


def branch_examples(folder):
    save_branch(model(), folder / 'example.pth')
    return [folder / 'example.pth']


def branch_specs(folder):
    save_branch(model(), folder / 'whole.pth')
    return [write_json(folder / 'example.json', spec_of(read_checkpoint(folder / 'whole.pth')))]


def load_branch_spec(path):
    try:
        load_branch(model(), save_spec(path))
    except ValueError as error:
        if 'another CLIP' not in str(error):  # a spec keeps shapes, not values
            raise


def load_run_spec(path):
    return load(save_spec(path))


def run_specs(folder):
    torch.save(resumable(), folder / 'whole.pth')
    return [write_json(folder / 'example.json', spec_of(load(folder / 'whole.pth')))]


def projector():
    return dict(model={'llama_proj.weight': torch.ones(6, 4), 'llama_proj.bias': torch.ones(6)})


def load_projector(path):
    return linear_of(load_tensors(str(path)), 'llama_proj', 4, 6, str(path))


@functools.cache
def open_clip_model():
    from open_clip.model import CustomTextCLIP
    return CustomTextCLIP(**TINY)


def open_clip_examples(folder):
    state = {name: value.clone() for name, value in open_clip_model().state_dict().items()}
    torch.save(dict(state_dict=state), folder / 'example.bin')
    save_file(state, folder / 'example.safetensors')
    return [folder / 'example.bin', folder / 'example.safetensors']


def open_clip_specs(folder):
    spec = spec_of(dict(open_clip_model().state_dict()))
    return [write_json(folder / 'example.json', spec)]


def trunk_examples(folder):
    torch.save(dict(state_dict=model().float().state_dict()), folder / 'example.pth')
    model().double()
    return [folder / 'example.pth']


def caption_examples(folder):
    captions = {f'video{i}': [['a', 'cat'], ['a', 'dog', 'runs']] for i in range(5)}
    paths = [folder / f'{protocol}.pkl' for protocol in (0, 2, 4)]
    for path in paths:
        path.write_bytes(pickle.dumps(captions, protocol=int(path.stem)))
    return paths


@functools.cache
def runner(folder):
    cfg = Config.fromstring(toys.CONFIG, '.py')
    cfg.merge_from_dict(dict(work_dir=folder, experiment_name='fuzz', custom_hooks=[],
                             log_level='ERROR'))
    cfg.train_cfg.max_epochs = 1
    cfg.optim_wrapper.optimizer.fused = True
    run = Runner.from_cfg(cfg)
    run.train()
    return run


def run_examples(folder):
    runner(str(folder))
    return [write_json(folder / 'example.json', spec_of(load(folder / 'epoch_1.pth')))]


def resume(path):
    """Resume, and take a step, with the kernels that believe what they get."""
    run = runner(str(path.parent))
    run.resume(str(save_spec(path)))
    for weight in run.model.parameters():
        weight.grad = torch.ones_like(weight)
    run.optim_wrapper.optimizer.step()
    for schedule in run.param_schedulers:
        schedule.step()


DOORS = [
    Door('run that is resumed', run_examples, resume),
    Door('checkpoint', saved(lambda: dict(state_dict=WEIGHTS, meta=dict(epoch=1))), load),
    Door('checkpoint of a run', saved(resumable), load),
    Door('checkpoint of torch before 1.6',
         saved(resumable, _use_new_zipfile_serialization=False), load),
    Door('pickle of a run', PICKLED_RUN, lambda path: load(zip_pickle(path, PICKLED_RUN.records))),
    Door('pickle of weights', PICKLED_WEIGHTS,
         lambda path: load(zip_pickle(path, PICKLED_WEIGHTS.records))),
    Door('values of a run', run_specs, load_run_spec),
    Door('branch file', branch_examples, lambda path: load_branch(model(), path)),
    Door('values of a branch file', branch_specs, load_branch_spec),
    Door('projector', saved(projector), load_projector),
    Door('weights of open_clip', open_clip_examples,
         lambda path: load_weights(open_clip_model(), TINY, str(path))),
    Door('values of open_clip', open_clip_specs,
         lambda path: load_weights(open_clip_model(), TINY, str(save_spec(path)))),
    Door('trunk of a checkpoint', trunk_examples,
         lambda path: OpenCLIPTrunk(TINY, pretrained=str(path))),
    Door('pickled captions', caption_examples, lambda path: _msvd_pickle(str(path))),
]


@pytest.mark.parametrize('door', DOORS, ids=lambda door: door.name)
def test_a_value_or_one_line(door, tmp_path):
    tally = fuzz(door, tmp_path)
    assert tally.faults == [] and tally.refused > 20
