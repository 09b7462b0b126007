"""The configs of dialogue models: each builds, with tiny models in the place of the published."""
import pytest
import torch

from mmbt.apis import init_dialogue

from ..conversation.models.folders import (
    clip_folder,
    hf_folder,
    language_folder,
    llava_v1_folder,
    minigpt4_layer,
)
from ..conversation.models.tiny_dialogue import blip2, instructblip, llava
from .layouts import DIALOGUES, ROOT, load, read_config


@pytest.fixture
def stand_ins(tmp_path, monkeypatch):
    """For each kind of model, the places of tiny ones."""
    monkeypatch.chdir(tmp_path)
    clip_folder(tmp_path / 'clip')
    llava_v1_folder(tmp_path / 'llava_v1')
    hf_folder(llava(), tmp_path / 'llava')
    hf_folder(instructblip(), tmp_path / 'instructblip', questions=True)
    hf_folder(blip2(), tmp_path / 'blip2')
    language_folder(tmp_path / 'vicuna')
    minigpt4_layer(tmp_path / 'layer.pth')
    return dict(
        LLaVAV1Dialogue=dict(model='llava_v1', vision='clip'),
        LLaVADialogue=dict(model='llava'),
        InstructBLIPDialogue=dict(model='instructblip'),
        MiniGPT4Dialogue=dict(model='blip2', language_model='vicuna', projector='layer.pth'))


def cut_to(pipeline, size):
    """Let a pipeline make the frames that a tiny tower takes."""
    pipeline[1].scale, pipeline[2].crop_size = (-1, size), size


@pytest.mark.parametrize('path', DIALOGUES, ids=lambda path: path.stem)
def test_it_builds_and_answers(path, stand_ins):
    config = read_config(path)
    model = config.model
    assert set(stand_ins[model.type]) <= {*model, 'vision'}
    model.update(stand_ins[model.type])
    if model.backbone.type == 'BTAdapter':
        assert model.backbone.num_layers == 4 and model.backbone.num_frames == 8
    size = 12 if 'LLaVA' in model.type else 28
    cut_to(config.pipeline, size)
    built = init_dialogue(config)
    assert built.backbone.trunk.image_size == (size, size)
    assert type(built).__name__ == model.type
    assert {p.dtype for p in built.parameters()} == {torch.float16}
    assert built.generation == dict(do_sample=True, temperature=0.2, max_new_tokens=1024,
                                    eos_token_id=[2])
    imgs = torch.zeros(1, 3, 3, size, size, dtype=torch.float16)
    answer, = built.generate(imgs, ['what?'], max_new_tokens=2)
    assert isinstance(answer, str)


@pytest.mark.parametrize('path', DIALOGUES, ids=lambda path: path.stem)
def test_head_says_command_cost_and_result(path):
    lines = path.read_text().splitlines()
    comment = '\n'.join(line for line in lines[:6] if line.startswith('#'))
    assert lines[0].startswith(f'# mmbt chat {path.relative_to(ROOT)} VIDEO')
    assert '# Cost:' in comment and '# Result:' in comment and 'ours: not run' in comment


# Correctness and Temporal of Table 5, without the branch and with it.
TABLE_5 = {'dialogue_llava_7b': (2.06, 1.78, 2.16, 2.13),
           'dialogue_minigpt4_vicuna_7b': (2.48, 1.88, 2.71, 2.56),
           'dialogue_minigpt4_llama2_7b': (1.44, 1.56, 1.81, 2.15)}


@pytest.mark.parametrize('name', TABLE_5)
def test_the_paper_s_numbers(name):
    text = ' '.join((ROOT / 'configs/dialogue' / f'{name}.py').read_text().replace('#', '').split())
    correct, temporal, correct_branch, temporal_branch = TABLE_5[name]
    assert f"the paper's Correctness {correct_branch}, Temporal {temporal_branch} zero-shot" in text
    assert f'alone {correct}, {temporal}' in text


def test_frames_are_cut_to_what_the_tower_sees():
    """224 pixels, and 336 for LLaVA-1.5."""
    for path in DIALOGUES:
        pipeline = read_config(path).pipeline
        size = 336 if path.stem == 'dialogue_llava_1_5_7b' else 224
        assert pipeline[0] == dict(type='ReadFrames', num_frames=100, test_mode=True)
        assert pipeline[1].scale == (-1, size) and pipeline[2].crop_size == size


def test_the_baseline_changes_the_backbone_alone():
    ours, mean = (load(f'dialogue/dialogue_llava_7b{end}').to_dict() for end in ('', '_frame_mean'))
    assert mean['model'].pop('backbone') == dict(type='FrameMean')
    del ours['model']['backbone']
    assert ours == mean
