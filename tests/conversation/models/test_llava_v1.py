"""LLaVA v1 in its authors' form: put together from a folder and a CLIP, against its parts."""
import json

import pytest
import torch

from mmbt.conversation import LLaVAV1Dialogue
from mmbt.conversation.models.templates import VIDEO

from ...support.tiny import stir
from .folders import clip_folder, llava_v1_folder
from .tiny_dialogue import BRANCH, ids, tokenizer, videos

FRAME_MEAN = dict(type='FrameMean')


@pytest.fixture
def parts(tmp_path):
    """Folders of a LLaVA v1 and of a CLIP, and what is in them."""
    tower = clip_folder(tmp_path / 'clip')
    language, projector = llava_v1_folder(tmp_path / 'llava')
    return tmp_path / 'llava', tmp_path / 'clip', language, projector, tower


def built(parts, backbone=FRAME_MEAN, **change):
    return LLaVAV1Dialogue(str(parts[0]), backbone, vision=str(parts[1]), **change)


def imgs():
    return videos().float()


def test_it_is_the_language_model_behind_clip_s_last_layer_but_one(parts):
    """Embeddings by hand: the prompt's characters, and each patch's mean over the frames."""
    _, _, language, projector, tower = parts
    model = built(parts)
    with torch.no_grad():
        hidden = tower(imgs()[0], output_hidden_states=True).hidden_states[-2]
        video = projector(hidden[:, 1:].mean(dim=0))
        before, _, after = model.template.prompt('who?').partition(VIDEO)
        embed = language.get_input_embeddings()
        rows = torch.cat([embed(torch.tensor([1] + ids(before))), video,
                          embed(torch.tensor(ids(after)))])
        embeds, mask = model.inputs(model.tokens(imgs()[:1]), ['who?'])
        assert mask.all() and before.startswith('A chat between a curious human')
        torch.testing.assert_close(embeds[0], rows)
        torch.testing.assert_close(model.language_model(inputs_embeds=embeds).logits,
                                   language(inputs_embeds=rows[None]).logits)


def test_a_model_trained_with_marks_has_them_around_the_video(tmp_path):
    clip_folder(tmp_path / 'clip')
    llava_v1_folder(tmp_path / 'llava', marks=True)
    model = built((tmp_path / 'llava', tmp_path / 'clip'))
    assert model.template.first == 'USER: <im_start>{video}<im_end>\n{question} ASSISTANT:'
    before, _, after = model.template.prompt('q').partition(VIDEO)
    assert model.tokenizer(before).input_ids[-1] == 101
    assert model.tokenizer(after, add_special_tokens=False).input_ids[0] == 102
    embeds, _ = model.inputs(model.tokens(imgs()[:1]), ['q'])
    marks = model.language_model.get_input_embeddings().weight[101:]
    assert torch.equal(embeds[0, len(before) - len('<im_start>') + 1], marks[0])
    assert torch.equal(embeds[0, len(before) - len('<im_start>') + 2 + 9], marks[1])


def test_a_projector_of_a_file_goes_before_the_folder_s(parts, tmp_path):
    trained = torch.nn.Linear(16, 16)
    stir(trained)
    path = tmp_path / 'mm_projector.bin'
    torch.save({f'model.mm_projector.{name}': value for name, value
                in trained.state_dict().items()}, path)
    model = built(parts, projector=str(path))
    tokens = torch.randn(1, 5, 16)
    assert torch.equal(model.project(tokens, ['q']), trained(tokens))
    assert torch.equal(built(parts).project(tokens, ['q']), parts[3](tokens))


def test_the_branch_stands_beside_all_layers_but_the_last(parts):
    """A stirred branch moves the answer by the frames' order; CLIP alone does not see it."""
    for backbone, moves in ((BRANCH, True), (FRAME_MEAN, False)):
        model = built(parts, backbone)
        assert model.backbone.trunk.num_layers == 3
        if moves:
            stir(model.backbone.branch)
        tokens, reverse = model.tokens(imgs()), model.tokens(imgs().flip(1))
        assert ((tokens - reverse).abs().max() > 1e-3) == moves


def test_its_precision(parts):
    model = built(parts, BRANCH, dtype='bfloat16')
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad for p in model.parameters())
    answers = model.generate(imgs().bfloat16(), ['a', 'b'], max_new_tokens=3)
    assert len(answers) == 2
    with pytest.raises(ValueError, match='^dtype is one of float32, float16 and bfloat16, got '
                                         "'half'$"):
        built(parts, dtype='half')


def test_what_does_not_fit_is_one_line(parts, tmp_path):
    folder = parts[0]
    config = json.loads((folder / 'config.json').read_text())
    with pytest.raises(FileNotFoundError, match='no_such is no folder|no_such'):
        LLaVAV1Dialogue(str(tmp_path / 'no_such'), FRAME_MEAN)
    with pytest.raises(FileNotFoundError, match='^projector nowhere.bin is missing$'):
        built(parts, projector='nowhere.bin')
    torch.save({'model.mm_projector.weight': torch.zeros(3, 16)}, tmp_path / 'small.bin')
    with pytest.raises(ValueError, match=r'small.bin: model.mm_projector must be a linear layer of '
                                         r'\(16, 16\) with a bias, found \(3, 16\)'):
        built(parts, projector=str(tmp_path / 'small.bin'))
    torch.save(dict(run=print), tmp_path / 'code.bin')
    with pytest.raises(ValueError, match='code.bin holds code'):
        built(parts, projector=str(tmp_path / 'code.bin'))
    del config['mm_vision_tower']
    (folder / 'config.json').write_text(json.dumps(config))
    with pytest.raises(ValueError, match="is no LLaVA in its authors' form: its config.json has no "
                                         'mm_vision_tower; LLaVADialogue takes'):
        built(parts)


def test_a_tokenizer_that_is_given_goes_before_the_folder_s(parts):
    model = built(parts, tokenizer=tokenizer(start=False))
    assert model.tokenizer('a').input_ids == ids('a')
    assert built(parts).tokenizer('a').input_ids == [1] + ids('a')
