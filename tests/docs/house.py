"""A folder in which the documents' blocks find what they name, tiny and of random weights."""
import json
import shutil

import torch
import transformers
from mmengine.config import Config

from mmbt.apis import VideoSearch, init_model, save_branch
from mmbt.files.source import CARD
from mmbt.lab.ablation.configs import write_row
from mmbt.lab.world import generate_world
from mmbt.models import BTAdapter, HuggingFaceTrunk, OpenCLIPTrunk
from mmbt.models.checkpoints.card_files import model_card

from ..configs.layouts import LAYOUTS, lay_out
from ..conversation.models.folders import llava_v1_folder
from ..support.tiny import TINY, stir
from ..support.tiny_towers import HF_CLIP, LANGUAGE, in_hf_form
from .blocks import BLOCKS, CONFIGS, MODULES, ROOT

# CLIP ViT-L/14 in small: its 224 pixels in 16 patches, layers enough for 4 of the branch.
ARCH = dict(
    TINY, vision_cfg=dict(image_size=224, patch_size=56, width=16, layers=6, head_width=8),
    text_cfg=dict(TINY['text_cfg'], vocab_size=49408))
HF_ARCH = dict(HF_CLIP, image_size=224, patch_size=56, num_hidden_layers=6)
CLIP = 'openai/clip-vit-large-patch14'


def furnish(home):
    """Fill an empty folder, which is the working folder."""
    for name in ('configs', 'tools'):
        (home / name).symlink_to(ROOT / name)
    for name, text in {**CONFIGS, **MODULES}.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    write_demo(home)
    write_data(home)
    write_clip_and_branches(home)
    llava_v1_folder(home / 'checkpoints/LLaVA-7b-v1')
    write_row('table6_separate_st', 'zeroshot_msrvtt', home / 'work_dirs/ablations/configs')


def write_demo(home):
    """What ``make demo`` leaves, and an index of its videos."""
    out = home / 'work_dirs/demo'
    generate_world(out / 'world', train=4, test=12, stills=0)
    captions = json.loads((out / 'world/train.json').read_text())
    (out / 'world/train.tsv').write_text(
        ''.join(f'{video}\t{text}\n' for video, (text, ) in captions.items()))
    torch.manual_seed(0)
    model = init_model('configs/demo/demo_retrieval.py')
    state = model.state_dict()
    clip = {name: value for name, value in state.items() if name.startswith('backbone.trunk.')}
    for name, weights in (('branch/epoch_20.pth', state), ('clip/epoch_16.pth', clip)):
        (out / name).parent.mkdir()
        torch.save(dict(meta={CARD: model_card(model).to_dict()}, state_dict=weights), out / name)
    videos = [out / f'world/videos/test_{number:05}.mp4' for number in range(2)]
    for name in ('clip.mp4', 'clips/new.mp4'):
        (home / name).parent.mkdir(exist_ok=True)
        shutil.copy(videos[1], home / name)
    search = VideoSearch.from_config('configs/demo/demo_retrieval.py', out / 'branch/epoch_20.pth')
    search.open('index', create=True)
    search.add(videos)


def write_data(home):
    """The data sets that configs of the documents read, and a user's own of ``data/mine``."""
    for name in ('pretrain_webvid', 'zeroshot_msrvtt', 'zeroshot_k400', 'zeroshot_ucf101'):
        folder, files, videos, _ = LAYOUTS[name]
        lay_out(home / 'data' / folder, files, videos)
    captions = next(block.text for block in BLOCKS if block.language == 'json'
                    and block.document.endswith('configs.md'))
    lay_out(home / 'data/mine', {
        'captions.json': captions, 'train.json': captions, 'list.txt': 'video1.mp4 3\n',
        'classes.txt': ''.join(f'class {number}\n' for number in range(10)),
    }, [f'videos/{name}' for name in json.loads(captions)])


def write_clip_and_branches(home):
    """One CLIP in two libraries' forms, a converted checkpoint with it, and a branch file."""
    torch.manual_seed(1)
    trunk = OpenCLIPTrunk(ARCH)
    stir(trunk.visual, 0.1)
    state = in_hf_form(trunk.canonical_state(), 'clip')
    clip = transformers.CLIPModel(transformers.CLIPConfig(
        text_config=LANGUAGE, vision_config=HF_ARCH, projection_dim=12))
    clip.visual_projection.load_state_dict(dict(weight=state.pop('proj.weight')))
    clip.vision_model.load_state_dict(state, strict=False)
    clip.save_pretrained(home / CLIP)

    model = dict(type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH),
                 backbone=dict(type='BTAdapter', variant='released'))
    tests = Config.fromfile('configs/released/zeroshot_msrvtt_released.py').test_dataloader
    for step in tests.dataset.pipeline:
        if step.type == 'TokenizeText':
            step.context_length = ARCH['text_cfg']['context_length']
    Config(dict(default_scope='mmaction', model=model, test_dataloader=tests)).dump('OUT.py')
    converted = init_model('OUT.py')
    converted.trunk.load_state_dict(trunk.state_dict())
    stir(converted.backbone.branch, 0.1)
    torch.save(dict(state_dict=converted.state_dict()), 'OUT.pth')
    save_branch(BTAdapter(HuggingFaceTrunk(CLIP)), 'branch_epoch_1.pth')
