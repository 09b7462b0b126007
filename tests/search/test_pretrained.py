"""Folders in Hugging Face's form: what is loaded is what was saved, and nothing else is."""
import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file

import mmbt
from mmbt.apis import from_pretrained, push_to_hub, save_pretrained
from mmbt.search import pretrained as folders

from .search_world import same


@pytest.mark.parametrize('whole', [False, True])
def test_loaded_is_saved_bit_for_bit(checkpoint, whole):
    loaded = mmbt.load('whole.pth')
    loaded.temperature = 0.05
    save_pretrained(loaded, 'folder', whole)
    assert sorted(path.name for path in Path('folder').iterdir()) == [
        'README.md', 'config.json', 'model.safetensors']
    again = from_pretrained('folder', clip=None if whole else 'clip.pth')
    assert same(again, checkpoint) and again.temperature == 0.05
    assert again.pipeline == loaded.pipeline and again.context_length == loaded.context_length
    names = load_file('folder/model.safetensors')
    assert any(name.startswith('backbone.trunk.') for name in names) == whole
    assert any(name.startswith('fingerprint.') for name in names) != whole
    page = Path('folder/README.md').read_text()
    assert page.startswith('---\nlibrary_name: mmbt\n') and '| fingerprint of CLIP' in page


def test_a_branch_beside_another_clip_is_refused(checkpoint):
    save_pretrained(checkpoint, 'folder')
    other = torch.load('clip.pth', weights_only=True)
    name = 'backbone.trunk.visual.blocks.1.fc1.weight'
    other['state_dict'][name].mul_(-1)
    torch.save(other, 'other.pth')
    with pytest.raises(ValueError, match='trained beside another CLIP'):
        from_pretrained('folder', clip='other.pth')


def test_the_hub_is_asked_for_config_and_weights_alone(checkpoint, monkeypatch):
    save_pretrained(checkpoint, 'folder', whole=True)
    asked = []
    monkeypatch.setattr(folders, 'hub_is_out_of_reach', lambda: False)
    monkeypatch.setattr(huggingface_hub, 'snapshot_download',
                        lambda *args, **kwargs: asked.append((args, kwargs)) or 'folder')
    assert same(mmbt.load('someone/a-branch', revision='v1'), checkpoint)
    assert asked == [(('someone/a-branch', ), dict(
        revision='v1', allow_patterns=['config.json', 'model.safetensors'],
        local_files_only=False))]


def test_a_push_uploads_what_a_folder_holds(checkpoint, monkeypatch):
    done = []

    def upload(self, repo_id, folder_path, commit_message):
        shutil.copytree(folder_path, 'pushed')
        return f'https://hub/{repo_id}/commit/1'

    monkeypatch.setattr(huggingface_hub.HfApi, 'create_repo',
                        lambda self, *args, **kwargs: done.append((args, kwargs)))
    monkeypatch.setattr(huggingface_hub.HfApi, 'upload_folder', upload)
    assert push_to_hub(checkpoint, 'me/mine', whole=True, private=True).endswith('me/mine/commit/1')
    assert done == [(('me/mine', ), dict(private=True, exist_ok=True))]
    assert same(mmbt.load('pushed'), checkpoint)


@pytest.mark.parametrize('change, line', [
    (dict(auto_map={'AutoModel': 'code.Model'}), "has the key 'auto_map', which is none of"),
    (dict(model_type='clip'), 'is no config of a model of mmbt'),
    (dict(form=2), 'is of form 2'), (dict(holds='all'), "holds is 'all'"),
    (dict(holds='branch'), 'holds CLIP too')])
def test_a_config_of_something_else_is_refused(checkpoint, change, line):
    save_pretrained(checkpoint, 'folder', whole=True)
    path = Path('folder/config.json')
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError) as caught:
        from_pretrained('folder')
    assert line in str(caught.value) and 'config.json' in str(caught.value)


def test_weights_are_safetensors_alone(checkpoint):
    save_pretrained(checkpoint, 'folder', whole=True)
    shutil.copy('whole.pth', 'folder/model.safetensors')
    with pytest.raises(ValueError, match='model.safetensors is no file of safetensors'):
        from_pretrained('folder')


def test_a_backbone_of_a_stranger_s_is_not_looked_up(checkpoint):
    save_pretrained(checkpoint, 'folder', whole=True)
    path = Path('folder/config.json')
    config = json.loads(path.read_text())
    config['model_card']['backbone'] = 'VideoTextModel'
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match="says backbone='VideoTextModel', which is none of"):
        from_pretrained('folder')
