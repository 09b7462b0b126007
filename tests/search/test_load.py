"""mmbt.load: each kind of name gives the model and the embeddings that its config gives."""
import shutil
import textwrap
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from mmengine.config import Config

import mmbt
from mmbt.apis import VideoTextInferencer, init_model, save_branch
from mmbt.datasets import VideoReadError
from mmbt.files.source import CARD
from mmbt.models.checkpoints.card_files import model_card
from mmbt.search import load as loads
from mmbt.search import released as releases

from ..datasets.conftest import write_broken
from ..models.conversion.files import arch_file, released
from ..support.tiny import stir
from ..support.tiny_tags import NAME, publish
from .search_world import ARCH, TEXT, embeddings, new_search, same

CLASSES = ['a dog runs', 'a door opens', 'rain']


@pytest.mark.parametrize('name, settings', [
    ('whole.pth', {}), ('branch.pth', dict(clip='clip.pth')),
    ('config.py', dict(weights='weights.pth'))])
def test_a_file_alone_is_its_config_and_weights(checkpoint, videos, name, settings):
    loaded = mmbt.load(name, **settings)
    assert same(loaded, checkpoint) and not loaded.model.training
    search = new_search()
    search.encoder.pipeline[1:] = loaded.pipeline[1:]
    by_config = mmbt.load('config.py', weights='weights.pth')
    by_config.encoder.read = loaded.encoder.read  # the config squashes, the card crops
    np.testing.assert_allclose(loaded.embed_videos(videos), by_config.embed_videos(videos),
                               atol=1e-6)
    np.testing.assert_allclose(loaded.embed_texts([TEXT]), search.encoder.texts([TEXT]), atol=1e-6)
    assert loaded.embed_videos(videos).std(axis=0).max() > 0.01
    assert [step['type'] for step in loaded.pipeline][:1] == ['ReadFrames']
    assert loaded.pipeline[0]['num_frames'] == 4


def test_embeddings_are_init_model_s_and_the_pipeline_s(checkpoint, videos):
    search = new_search()
    search.add(videos)
    loaded, done = mmbt.load('config.py', weights='weights.pth'), []
    rows = loaded.embed_videos('videos', progress=lambda *at: done.append(at), batch_size=2)
    np.testing.assert_allclose(rows, embeddings(search), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert rows.dtype == np.float32 and done == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize('backbone', [
    dict(type='FrameMean'), dict(type='STAN', num_layers=2, num_frames=3),
    dict(type='STAdapter', adapter_width=5), dict(type='JointST', num_frames=6),
    dict(type='SeparateST', num_layers=2, num_frames=5, temporal_proj='none'),
    dict(type='BTAdapter', num_layers=3, num_frames=5, variant='released'),
    dict(type='BTAdapter', num_layers=2, num_frames=5, combination='concat', temporal_proj='none'),
    dict(type='BTAdapter', num_layers=2, num_frames=5, combination='add', interaction=False),
    dict(type='BTAdapter', num_layers=3, num_frames=5, combination='add'),
    dict(type='BTAdapter', num_layers=3, num_frames=5, interaction=False)])
def test_every_backbone_is_told_by_its_weights_and_card(world, backbone):
    config = Config.fromfile('config.py')
    config.model.backbone = backbone
    model = init_model(config)
    stir(model.backbone)
    torch.save(dict(meta={CARD: model_card(model).to_dict()}, state_dict=model.state_dict()),
               'other.pth')
    loaded = mmbt.load('other.pth')
    imgs = torch.randn(2, 5, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(loaded.encode_video(imgs), model.encode_video(imgs))
    assert loaded.pipeline[0]['num_frames'] == (model_card(model).num_frames or 12)


def test_names_of_clip_are_frame_mean_on_open_clip_s_weights(world, videos, monkeypatch):
    publish(monkeypatch, world / 'clip.pt')
    monkeypatch.setitem(loads.CLIPS, 'clip-tiny', (NAME, 'quick'))
    loaded = mmbt.load('CLIP-tiny', frames=3)
    config = Config(dict(model=dict(
        type='VideoTextModel', backbone=dict(type='FrameMean'),
        trunk=dict(type='OpenCLIPTrunk', arch=NAME, pretrained='quick'))))
    model = init_model(config)
    assert same(loaded, model) and loaded.model.trunk.card.pretrained == 'quick'
    imgs = [loaded.encoder.read(dict(filename=path))['inputs']['imgs'] for path in videos]
    frames = model.data_preprocessor(dict(inputs=dict(imgs=imgs)))['inputs']['imgs']
    with torch.no_grad():
        rows = torch.stack([model.encode_video(frames[:, i:i + 1]) for i in range(3)]).mean(dim=0)
    np.testing.assert_allclose(loaded.embed_videos(videos),
                               torch.nn.functional.normalize(rows, dim=-1), atol=1e-5)


def test_a_branch_finds_clip_by_the_tag_of_its_card(world, monkeypatch):
    publish(monkeypatch, world / 'clip.pt')
    config = Config.fromfile('config.py')
    config.model.trunk = dict(type='OpenCLIPTrunk', arch=NAME, pretrained='plain')
    model = init_model(config)
    stir(model.backbone.branch)
    save_branch(model, 'branch.pth')
    loaded = mmbt.load('branch.pth')
    assert same(loaded, init_model(config, 'branch.pth')) and same(loaded, model)


def test_released_files_are_fetched_checked_converted_and_kept(world, monkeypatch):
    torch.save(dict(state_dict=released()), 'gated.pth')
    arch = arch_file(world)
    fetched, convert = [], releases.convert
    monkeypatch.setenv('TORCH_HOME', str(world / 'torch'))
    monkeypatch.setattr(releases, 'hub_is_out_of_reach', lambda: False)
    monkeypatch.setattr(huggingface_hub.HfApi, 'list_repo_files',
                        lambda self, repo: ['README.md', 'gated.pth'])
    blob = world / releases.hash_file(Path('gated.pth'))
    shutil.copy('gated.pth', blob)
    Path('link').mkdir()
    Path('link/gated.pth').symlink_to(blob)
    monkeypatch.setattr(huggingface_hub, 'hf_hub_download',
                        lambda *args, **kwargs: str(world / 'link/gated.pth'))
    monkeypatch.setattr(releases, 'convert', lambda *args: fetched.append(args) or
                        convert(*args, arch=arch))
    loaded, again = mmbt.load('released-gated'), mmbt.load('released-gated')
    assert len(fetched) == 1 and same(again, loaded.model)
    out, = releases.cache_folder().glob('gated-*.pth')
    assert same(loaded, init_model(out.with_suffix('.py'), str(out)))
    assert type(loaded.model.backbone.branch).__name__ == 'ReleasedBranch'
    with pytest.raises(ValueError, match='has no file for .*released-gated'):
        mmbt.load('released-gate')
    shutil.rmtree(world / 'torch')
    blob.write_bytes(blob.read_bytes()[:-1] + b'x')
    with pytest.raises(ValueError, match='is not what'):
        mmbt.load('released-gated')


def test_a_broken_video_is_an_error_or_a_row_of_nan(checkpoint, videos):
    broken = Path(videos[0]).with_name('broken.mp4')
    write_broken(broken)
    loaded = mmbt.load('whole.pth')
    with pytest.raises(VideoReadError, match='broken.mp4'):
        loaded.embed_videos([*videos, broken])
    rows = loaded.embed_videos([videos[0], broken, videos[1]], on_broken='nan')
    assert np.isnan(rows[1]).all()
    np.testing.assert_allclose(rows[[0, 2]], loaded.embed_videos(videos[:2]), atol=1e-6)


def test_the_example_of_the_module_runs(checkpoint, capsys):
    example = textwrap.dedent(loads.__doc__.split('::')[1])
    assert len(example.strip().splitlines()) < 10
    names = {}
    exec(example.replace("'clip-vit-l-14', device='cuda'", "'whole.pth'"), names)
    loaded = mmbt.load('whole.pth')
    np.testing.assert_allclose(names['videos'], loaded.embed_videos('videos'), atol=1e-6)
    said = capsys.readouterr().out
    assert said.count('.mp4') == 3 and said.count('cooking') == 5


def test_search_and_label_in_a_few_lines(checkpoint, videos):
    model = mmbt.load('whole.pth')
    hits = model.search('videos', TEXT, top=3)
    scores = model.embed_videos(videos) @ model.embed_texts(TEXT)[0]
    assert [hit[0] for hit in hits] == [videos[i] for i in np.argsort(-scores)[:3]]
    worst = videos[int(np.argmin(scores))]
    assert [hit[0] for hit in model.search([worst], TEXT)] == [worst]
    table = model.label(videos, CLASSES, top=3)
    cosines = model.embed_videos(videos) @ model.embed_texts(CLASSES).T
    slow = np.exp(cosines / 0.01) / np.exp(cosines / 0.01).sum(axis=1, keepdims=True)
    for row, expected_row in zip(table, slow):
        assert {name: pytest.approx(share, abs=1e-4) for name, share in row} == dict(
            zip(CLASSES, expected_row))


def test_the_inferencer_gives_the_same(checkpoint, videos):
    loaded = mmbt.load('whole.pth')
    found = VideoTextInferencer(loaded)('videos', texts=CLASSES, batch_size=2, top=1)
    assert [each['path'] for each in found['predictions']] == list(map(str, loads_paths()))
    np.testing.assert_allclose([each['embedding'] for each in found['predictions']],
                               loaded.embed_videos('videos'), atol=1e-6)
    assert [each['labels'][0][0] for each in found['predictions']] == [
        row[0][0] for row in loaded.label('videos', CLASSES, top=1)]
    samples = VideoTextInferencer('whole.pth', device='cpu')(
        videos[0], return_datasamples=True, texts=CLASSES)['predictions']
    assert samples[0].pred_score.sum() == pytest.approx(1) and 'video_feature' in samples[0]


def loads_paths():
    """The world's videos as a folder's name gives them."""
    return sorted(Path('videos').iterdir())


def test_low_precision_leaves_mean_and_deviation(checkpoint, videos):
    loaded = mmbt.load('whole.pth', dtype='bfloat16')
    assert next(loaded.model.backbone.parameters()).dtype == torch.bfloat16
    assert torch.equal(loaded.model.data_preprocessor.mean, checkpoint.data_preprocessor.mean)
    exact = mmbt.load('whole.pth').embed_videos(videos)
    assert (loaded.embed_videos(videos) * exact).sum(axis=1).min() > 0.98


@pytest.mark.parametrize('name, settings, error, line', [
    ('clip-vit-l-41', {}, ValueError, "names no model: the nearest names are clip-vit-l-14"),
    ('no.pth', {}, FileNotFoundError, 'no.pth is missing'),
    ('no.py', {}, FileNotFoundError, 'config no.py is missing'),
    ('weights.pth', {}, ValueError, 'weights.pth has no model card'),
    ('whole.pth', dict(clip='clip.pth'), ValueError, 'whole.pth holds CLIP already'),
    ('branch.pth', {}, ValueError, "branch without CLIP, and its model card names no weights"),
    ('whole.pth', dict(weights='weights.pth'), ValueError, 'weights= goes with a config file'),
    ('whole.pth', dict(frames=0), ValueError, 'frames must be at least 1, got 0'),
    ('whole.pth', dict(dtype='int8'), ValueError, "dtype must be one such as"),
    ('whole.pth', dict(device='warp'), ValueError, "device='warp' is not to be had here")])
def test_what_is_wrong_is_said_in_a_line(checkpoint, name, settings, error, line):
    with pytest.raises(error) as caught:
        mmbt.load(name, **settings)
    assert line in str(caught.value) and '\n' not in str(caught.value)


def test_an_old_card_takes_the_converter_s_config_beside_it_and_runs_nothing(checkpoint):
    whole = torch.load('whole.pth', weights_only=True)
    for name in ('architecture', 'pretrained', 'interaction'):
        del whole['meta'][CARD][name]
    torch.save(whole, 'old.pth')
    with pytest.raises(ValueError, match='has no architecture, as those of before'):
        mmbt.load('old.pth')
    text = (f'default_scope = "mmaction"\nmodel = dict(type="VideoTextModel", '
            f'trunk=dict(type="OpenCLIPTrunk", arch={ARCH!r}), '
            'backbone=dict(type="BTAdapter", num_layers=3, num_frames=4))\n'
            'test_dataloader = dict(dataset=dict(pipeline=[dict(type="ReadFrames", num_frames=4, '
            'test_mode=True), dict(type="Resize", scale=(12, 12), keep_ratio=False), '
            'dict(type="TokenizeText", context_length=9, caption="all"), '
            'dict(type="FormatShape", input_format="NCHW"), dict(type="PackVideoText")]))\n')
    Path('old.py').write_text(text)
    assert same(mmbt.load('old.pth'), checkpoint)
    Path('old.py').write_text(text + 'ran = open("ran", "w")\n')
    with pytest.raises(ValueError, match='old.py lies beside weights'):
        mmbt.load('old.pth')
    assert not Path('ran').exists()
