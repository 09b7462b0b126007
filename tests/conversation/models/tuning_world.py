"""A toy world that only the order of frames explains, and tiny runs of the tuning config on it."""
import itertools
import json

import cv2
import numpy as np
import torch
from mmengine.runner import Runner
from safetensors.torch import load_file, save_file
from transformers import LlamaForCausalLM

from mmbt.conversation.tuning.taught_answers import IGNORED, answer_cross_entropy

from ...configs.layouts import load
from .tiny_dialogue import FRAMES, ids
from .tiny_tuning import write_models

TEMPLATE = dict(system='', first='Q {video}{question}', turn='', answer='{answer}')
LEFT, RIGHT = 'L', 'R'
PAIRS = 4
ROUNDS = 15
COUNT = itertools.count()


def write_world(folder):
    """Models, videos and questions.

    The videos have four frames and come in pairs: what is bright wanders to the right, or the same
    frames come backwards, so that their order alone tells the answer.
    """
    write_models(folder)
    teach(folder / 'llava')
    generator = np.random.default_rng(0)
    entries = []
    for pair in range(PAIRS):
        frames = generator.integers(0, 60, (FRAMES, 12, 12, 3)).astype(np.uint8)
        for time, frame in enumerate(frames):
            frame[:, 3 * time:3 * time + 3] += 180
        for answer, order in ((RIGHT, frames), (LEFT, frames[::-1])):
            clip = folder / 'videos' / f'{answer}{pair}'
            clip.mkdir(parents=True)
            for number in range(4 * FRAMES):  # 1, 5, 9 and 12 are read
                cv2.imwrite(str(clip / f'img_{number:05d}.png'), order[number // 4])
            entries.append(dict(q='?', a=answer, video_id=clip.name))
    (folder / 'instructions.json').write_text(json.dumps(entries * ROUNDS))


def teach(folder, steps=60):
    """Let LLaVA's language model answer with the letter that stands in the video's place.

    It is among other characters there. The tuning has to say it through the video's tokens.
    """
    config = json.loads((folder / 'config.json').read_text())
    state = load_file(folder / 'model.safetensors')
    model = LlamaForCausalLM(LlamaForCausalLM.config_class(
        **{key: value for key, value in config.items() if key not in ('model_type', 'dtype')}))
    model.load_state_dict(state, strict=False)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    letters = torch.tensor(ids(LEFT + RIGHT))
    for _ in range(steps):
        letter = letters[torch.randint(0, 2, (16, 1), generator=generator)]
        noise = torch.randint(4, 100, (16, 9), generator=generator)
        shown = torch.where(torch.rand(16, 9, generator=generator) < 0.6, letter, noise)
        before, after, end = (torch.tensor([each]).expand(16, -1) for each
                              in ([1, *ids('Q ')], ids('?'), [2]))
        rows = torch.cat([before, shown, after, letter, end], dim=1)
        labels = rows.clone()
        labels[:, :-2] = IGNORED
        loss = answer_cross_entropy(model(input_ids=rows).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    state.update(model.state_dict())
    save_file(state, folder / 'model.safetensors', metadata=dict(format='pt'))


def tiny_config(folder, work_dir, name='tune_llava_7b', epochs=1, **options):
    """The full-size config with tiny models, on the toy world and on a CPU.

    Args:
        folder: From :func:`write_world`.
        work_dir: Where the run writes.
        name: The config.
        epochs: How many, of :data:`ROUNDS` batches; each batch has every video once.
        **options: Changes, by dotted keys.
    """
    config = load(f'dialogue/{name}')
    sizes = {'pipeline.0.num_frames': FRAMES, 'pipeline.1.scale': (-1, 12),
             'pipeline.2.crop_size': 12}
    data = 'train_dataloader.dataset'
    config.merge_from_dict({
        'model.dialogue.model': str(folder / 'llava'),
        'model.dialogue.vision': str(folder / 'clip'),
        'model.dialogue.dtype': 'float32',
        'model.dialogue.template': TEMPLATE,
        'model.dialogue.generation': dict(_delete_=True, max_new_tokens=4, do_sample=False),
        **sizes, **{f'{data}.{key}': value for key, value in sizes.items()},
        f'{data}.data_root': str(folder), f'{data}.ann_file': 'instructions.json',
        'train_dataloader.num_workers': 0, 'train_dataloader.persistent_workers': False,
        'train_dataloader.pin_memory': False, 'train_dataloader.batch_size': 2 * PAIRS,
        'train_dataloader.sampler.shuffle': False,
        'train_cfg.max_epochs': epochs,
        'optim_wrapper': dict(type='OptimWrapper'), 'optim_wrapper.optimizer.lr': 1e-2,
        'default_hooks.logger.interval': 5, 'log_level': 'WARNING'})
    backbone = config.model.dialogue.backbone
    if backbone.type == 'BTAdapter':
        backbone.update(num_layers=3, num_frames=FRAMES)
    if config.model.dialogue.get('branch'):
        config.model.dialogue.branch = str(folder / 'branch.pth')
    for key in ('dtype', 'loss_scale'):
        config.optim_wrapper.pop(key)
    config.update(param_scheduler=None, visualizer=dict(type='Visualizer'), custom_hooks=[
        hook for hook in config.custom_hooks if hook.type != 'TrainingMonitorHook'],
        work_dir=str(work_dir), randomness=dict(seed=0), experiment_name=f'tuning_{next(COUNT)}')
    config.merge_from_dict(options)
    return config


def run(config):
    """Train; the runner and the loss of every iteration."""
    torch.manual_seed(0)
    runner = Runner.from_cfg(config)
    runner.train()
    return runner, runner.message_hub.get_scalar('train/loss').data[0].tolist()
