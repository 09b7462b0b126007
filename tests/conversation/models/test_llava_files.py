"""LLaVA and its branch from files and folders; what does not fit is refused in one line."""
import copy
import json

import pytest
import torch
from mmaction.registry import MODELS
from safetensors.torch import load_file, save_file

from mmbt.apis import load_branch, save_branch
from mmbt.conversation import LLaVADialogue
from mmbt.conversation.models import VideoTokens
from mmbt.models import BTAdapter

from ...support.tiny import stir
from ...support.tiny_towers import in_hf_form, inner_transformer, reference
from .tiny_dialogue import BRANCH, FRAMES, tokenizer, videos
from .tiny_llava import ASKED, FRAME_MEAN, GREEDY, llava, next_logits, refused


@pytest.fixture
def same_clip(tmp_path):
    """LLaVA with open_clip's tiny CLIP in it, and the branch file of an adapter beside the whole.

    The file's branch has a layer more, that beside CLIP's last.
    """
    trunk = reference('clip')
    model = llava()
    state = in_hf_form(trunk.canonical_state(), 'clip')
    del state['proj.weight']
    inner_transformer(model).load_state_dict(state)
    torch.manual_seed(4)
    adapter = BTAdapter(trunk, num_layers=3, num_frames=FRAMES).double()
    stir(adapter.branch)
    save_branch(adapter, tmp_path / 'branch.pth')
    return model, str(tmp_path / 'branch.pth')


def test_a_branch_of_open_clip_speaks_through_llava(same_clip):
    """Frames pass CLIP and branch up to the last layer but one, as they do beside open_clip."""
    model, path = same_clip
    talking = LLaVADialogue(model, BRANCH, branch=path, tokenizer=tokenizer())
    short = BTAdapter(reference('clip', 1), num_layers=3, num_frames=FRAMES).double()
    load_branch(short, path)
    imgs = videos()
    expected = VideoTokens(short).double()(imgs)
    torch.testing.assert_close(talking.tokens(imgs), expected, rtol=1e-5, atol=1e-5)
    plain = LLaVADialogue(model, BRANCH, tokenizer=tokenizer())
    assert plain.generate(imgs, ASKED[:2], **GREEDY) != talking.generate(imgs, ASKED[:2], **GREEDY)


def test_a_branch_loads_into_a_dialogue_model_that_there_is(same_clip):
    model, path = same_clip
    expected = LLaVADialogue(model, BRANCH, branch=path, tokenizer=tokenizer())
    talking = LLaVADialogue(model, BRANCH, tokenizer=tokenizer())
    load_branch(talking.backbone, path)
    imgs = videos()
    torch.testing.assert_close(talking.tokens(imgs), expected.tokens(imgs), rtol=1e-5, atol=1e-5)


def test_a_branch_of_another_clip_is_refused(same_clip):
    _, path = same_clip
    refused('another CLIP than the one at hand', llava(), BRANCH, branch=path,
            tokenizer=tokenizer())


def test_a_branch_file_that_is_not_there_is_refused(tmp_path):
    path = str(tmp_path / 'none.pth')
    refused(f'branch file {path} is missing', llava(), BRANCH, branch=path, tokenizer=tokenizer(),
            error=FileNotFoundError)


@pytest.fixture
def folder(same_clip, tmp_path):
    """The folder of such a LLaVA with its tokenizer, and its branch file."""
    model, path = same_clip
    model.float().save_pretrained(tmp_path / 'llava')
    tokenizer().save_pretrained(tmp_path / 'llava')
    return tmp_path / 'llava', path


def test_a_folder_talks_as_the_module_saved_in_it(folder, same_clip):
    path, branch = folder
    module = LLaVADialogue(same_clip[0], BRANCH, branch=branch, tokenizer=tokenizer())
    loaded = MODELS.build(dict(type='LLaVADialogue', model=str(path), backbone=BRANCH,
                               branch=branch))
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    imgs = videos(count=3).float()
    assert torch.equal(loaded.tokens(imgs), module.tokens(imgs))
    assert torch.equal(next_logits(loaded, imgs, ASKED), next_logits(module, imgs, ASKED))
    answers = loaded.generate(imgs, ASKED, **GREEDY)
    assert answers == module.generate(imgs, ASKED, **GREEDY) and len(set(answers)) == 3


def test_mean_and_std_are_the_folder_s(folder):
    """And a branch of a CLIP with others is refused."""
    path, branch = folder
    half = [0.5, 0.5, 0.5]
    (path / 'preprocessor_config.json').write_text(json.dumps(dict(image_mean=half)))
    card = LLaVADialogue(str(path), FRAME_MEAN).backbone.trunk.card
    assert card.mean == tuple(half) and card.std[0] == pytest.approx(0.26862954)
    refused(r'made with mean=\(0.4815, .*, this config says \(0.5, 0.5, 0.5\)', str(path), BRANCH,
            branch=branch)


def test_a_tokenizer_at_hand_goes_before_the_folders(folder):
    words = tokenizer()
    assert LLaVADialogue(str(folder[0]), FRAME_MEAN, tokenizer=words).tokenizer is words


def rewrite(path, change):
    """Change the weights of a folder; returns the name of one."""
    state = load_file(path / 'model.safetensors')
    name = next(key for key in state if key.endswith('layers.1.mlp.up_proj.weight'))
    change(state, name)
    save_file(state, path / 'model.safetensors', metadata=dict(format='pt'))


def test_a_folder_that_lacks_a_weight_is_refused(folder):
    """transformers itself would go on with a random one in its place."""
    path = folder[0]
    rewrite(path, lambda state, name: state.pop(name))
    refused('lacks 1 weights of a LlavaForConditionalGeneration, such as .*layers.1.mlp.up_proj',
            str(path), FRAME_MEAN)


def test_weights_that_do_not_fit_or_cannot_be_read_are_refused(folder):
    path, message = folder[0], 'llava: the weights cannot be read or do not fit its config.json'
    rewrite(path, lambda state, name: state.update({name: state[name][:5].clone()}))
    refused(message, str(path), FRAME_MEAN)
    weights = path / 'model.safetensors'
    weights.write_bytes(weights.read_bytes()[:50])
    refused(message, str(path), FRAME_MEAN)


def test_what_is_not_there_is_refused(folder, tmp_path):
    none, path = str(tmp_path / 'none'), folder[0]
    refused(f'^{none}: no tokenizer to be had here or on the hub', none, FRAME_MEAN,
            error=FileNotFoundError)
    refused(f'^{none}: no model to be had here or on the hub', none, FRAME_MEAN,
            tokenizer=tokenizer(), error=FileNotFoundError)
    (path / 'model.safetensors').unlink()
    refused('llava: no model to be had here', str(path), FRAME_MEAN, error=FileNotFoundError)
    for file in path.glob('*token*'):
        file.unlink()
    refused('llava: no tokenizer to be had here', str(path), FRAME_MEAN, error=FileNotFoundError)


def test_half_precision(folder):
    """Every weight is in it, and the first words are nearly as likely as in single precision."""
    path, branch = folder
    single = LLaVADialogue(str(path), BRANCH, branch=branch)
    half = LLaVADialogue(str(path), BRANCH, branch=branch, dtype='bfloat16')
    cast = LLaVADialogue(copy.deepcopy(single.language_model), BRANCH, branch=branch,
                         tokenizer=tokenizer(), dtype='bfloat16')
    imgs = videos(count=3).float()
    expected = next_logits(single, imgs, ASKED)
    for model in (half, cast):
        assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
        logits = next_logits(model, imgs, ASKED)
        assert logits.dtype in (torch.bfloat16, torch.float32)
        error = (logits.float() - expected).norm() / expected.norm()
        assert 1e-5 < error < 0.05
        for name, buffer in model.language_model.named_buffers():
            assert buffer.dtype != torch.bfloat16, name
    answers = half.generate(imgs, ASKED, **GREEDY)
    assert answers == cast.generate(imgs, ASKED, **GREEDY)
    assert min(len(answer) for answer in answers) > 5


# --- refusals


@pytest.mark.parametrize('layers', [[-2, -5], [1, 2]])
def test_a_model_that_reads_several_layers_is_refused(layers):
    refused('this LLaVA reads several layers of CLIP, .*; take one that reads one',
            llava(vision_feature_layer=layers), FRAME_MEAN, tokenizer=tokenizer())


@pytest.mark.parametrize('arguments, message', [
    (dict(tokenizer=None), '^a model that is a module needs its tokenizer too$'),
    (dict(template='vicuna'), "^template is one of .*'llava_v1.5'.*, got 'vicuna'$"),
    (dict(dtype='int8'), "^dtype is one of float32, float16 and bfloat16, got 'int8'$"),
    (dict(combination='sum'), "^combination is one of .*, got 'sum'$"),
    (dict(pooling='max'), "^pooling is one of .*, got 'max'$")])
def test_settings_that_do_not_fit_are_refused(arguments, message):
    refused(message, llava(), FRAME_MEAN, **dict(dict(tokenizer=tokenizer()), **arguments))


def test_a_branch_that_stands_beside_no_layer_that_is_read_is_refused():
    refused('num_layers of the branch must lie in 2..4', llava(), dict(BRANCH, num_layers=1),
            tokenizer=tokenizer())
