"""A tiny model in a config and a checkpoint, and videos that differ, for the tests of search."""
import cv2
import numpy as np
import torch

from mmbt.apis import VideoSearch, init_model

from ..support.tiny import TINY, stir

TEXT = 'a man opens a door'
ARCH = dict(TINY, text_cfg=dict(TINY['text_cfg'], context_length=16, vocab_size=49408))
CONFIG = f"""
custom_imports = dict(imports=['mmbt'], allow_failed_imports=False)
default_scope = 'mmaction'
model = dict(
    type='VideoTextModel',
    trunk=dict(type='OpenCLIPTrunk', arch={ARCH!r}),
    backbone=dict(type='BTAdapter', num_layers=3, num_frames=4))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='ReadFrames', num_frames=4, test_mode=True),
    dict(type='Resize', scale=(12, 12), keep_ratio=False),
    dict(type='TokenizeText', context_length=9, caption='all'),
    dict(type='FormatShape', input_format='NCHW'),
    dict(type='PackVideoText'),
]))
"""
# Without TokenizeText, as configs of recognition are; there is no such file of classes.
RECOGNITION = CONFIG.replace(
    "    dict(type='TokenizeText', context_length=9, caption='all'),\n", '') + """
model.update(cls_head=dict(type='ZeroShotHead', class_file='no/classes.txt', context_length=7))
"""


def write_world(folder, names='abcde'):
    """Write two configs, ``weights.pth`` and ``videos/a.mp4`` to ``videos/e.mp4``."""
    (folder / 'config.py').write_text(CONFIG)
    (folder / 'recognition.py').write_text(RECOGNITION)
    save_weights(folder / 'weights.pth')
    (folder / 'videos').mkdir()
    for seed, name in enumerate(names):
        write_clip(folder / f'videos/{name}.mp4', seed)


def save_weights(path, nudge=0.):
    """Save the stirred model of ``config.py``, beside it; its last weight moved by ``nudge``."""
    torch.manual_seed(0)
    model = init_model(path.parent / 'config.py')
    stir(model.backbone)
    with torch.no_grad():
        list(model.backbone.parameters())[-1].view(-1)[-1] += nudge
    torch.save(model.state_dict(), path)


def write_clip(path, seed):
    """Write 10 frames of 64 x 48, in which a random pattern turns into another."""
    generator = np.random.default_rng(seed)
    first, last = generator.uniform(0, 255, (2, 3, 4, 3))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (64, 48))
    assert writer.isOpened()
    for step in np.linspace(0, 1, 10):
        picture = ((1 - step) * first + step * last).astype(np.uint8)
        writer.write(cv2.resize(picture, (64, 48), interpolation=cv2.INTER_NEAREST))
    writer.release()


def new_search(config='config.py'):
    """A search by the world's model, with an empty index."""
    return VideoSearch.from_config(config, 'weights.pth')


def filled(videos):
    """The same with these videos."""
    search = new_search()
    assert search.add(videos, batch_size=2) == len(videos)
    return search


def opened(folder='index', config='config.py'):
    """A search by the world's model, with the index of a folder."""
    search = new_search(config)
    search.open(folder)
    return search


def count_encoded(search, monkeypatch):
    """A list that grows by the number of videos of each batch that the model encodes."""
    sizes, encode = [], search.encoder.model.encode
    monkeypatch.setattr(search.encoder.model, 'encode',
                        lambda imgs: sizes.append(len(imgs)) or encode(imgs))
    return sizes


def embeddings(search):
    """(N, E), of each video of the index."""
    return np.stack([search.embedding(path) for path in search.paths])


def same(loaded, model):
    """Whether two models have the same weights, bit for bit."""
    ours, theirs = loaded.model.backbone.state_dict(), model.backbone.state_dict()
    return ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)
