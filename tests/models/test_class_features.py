"""Features of class names: made at first use, kept, and made anew where they would be stale."""
import copy
import io

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import MMDistributedDataParallel
from torch.nn.functional import cosine_similarity, normalize

from mmbt.models.tokenizer import tokenize

from ..support.tiny import CLIPS, FRAMES, TINY

NAMES = ['a cat', 'dogs', 'run']
ARCH = dict(TINY, text_cfg=dict(TINY['text_cfg'], vocab_size=49408))


def recogniser(**trunk):
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoTextModel', trunk=dict(type='OpenCLIPTrunk', arch=ARCH, **trunk),
        backbone=dict(type='BTAdapter', num_layers=3, num_frames=FRAMES),
        cls_head=dict(type='ZeroShotHead', classes=NAMES, context_length=8))).eval()


@pytest.fixture
def model():
    return recogniser()


@pytest.fixture
def counted(model, monkeypatch):
    """A list that grows with each pass of the model's text tower."""
    calls = []
    model.text.register_forward_hook(lambda *args: calls.append(1))
    return calls


def data():
    """A batch as data loaders give it."""
    generator = torch.Generator().manual_seed(3)
    imgs = torch.randint(256, (CLIPS, FRAMES, 3, 12, 12), generator=generator, dtype=torch.uint8)
    return dict(inputs=dict(imgs=list(imgs)), data_samples=[ActionDataSample() for _ in imgs])


def scores(model):
    return torch.stack([sample.pred_score for sample in model.test_step(data())])


def expected(model):
    """Names encoded as captions, and the softmax of the cosines, from nothing that is kept."""
    imgs = model.data_preprocessor(data())['inputs']['imgs'].to(next(model.parameters()).dtype)
    with torch.no_grad():
        video, text = model.encode_video(imgs), model.encode_text(tokenize(NAMES, 8))
    return torch.softmax(cosine_similarity(video[:, None], text[None], dim=-1) / 0.01, dim=-1)


def test_scores_and_labels_are_those_of_the_class_names(model, counted):
    saved, buffers = list(model.state_dict()), dict(model.named_buffers()).keys()
    out = model.test_step(data())
    assert len(counted) == 1  # nobody asked for them
    theirs = expected(model)
    for sample, row in zip(out, theirs):
        torch.testing.assert_close(sample.pred_score, row)
        assert sample.pred_label.tolist() == [row.argmax()]
    assert list(model.state_dict()) == saved and dict(model.named_buffers()).keys() == buffers


def test_they_are_made_once(model, counted):
    first = scores(model)
    assert torch.equal(scores(model), first)
    with torch.autocast('cpu', torch.bfloat16):
        model.test_step(data())
    assert len(counted) == 1
    model.set_classes()  # whoever asks for it
    assert len(counted) == 2 and torch.equal(scores(model), first)


def trained(model):
    for parameter in model.text.parameters():
        parameter.grad = torch.randn_like(parameter)
    torch.optim.SGD(model.text.parameters(), lr=0.1).step()


def loaded(model):
    state = {key: value + 0.1 * torch.randn_like(value) for key, value in
             model.state_dict().items()}
    model.load_state_dict(state)


def part_loaded(model):
    state = {key: value + 0.1 * torch.randn_like(value) for key, value in
             model.text.state_dict().items()}
    model.text.load_state_dict(state)


def renamed(model):
    model.cls_head.classes = ['a moon', 'a cat', 'seven']


@pytest.mark.parametrize('change', [trained, loaded, part_loaded])
def test_they_follow_the_weights(model, change):
    before = scores(model)
    change(model)
    torch.testing.assert_close(scores(model), expected(model))
    assert (scores(model) - before).abs().max() > 1e-3


def test_they_follow_the_names(model):
    scores(model)
    renamed(model)
    with torch.no_grad():
        text = model.encode_text(tokenize(['a moon', 'a cat', 'seven'], 8))
    torch.testing.assert_close(model.class_features(), normalize(text, dim=-1))


@pytest.mark.parametrize('dtype', [torch.float64, torch.float16, torch.bfloat16])
def test_they_follow_the_precision(model, dtype):
    """In the model's own precision, not cast from what was kept; and back again."""
    single = scores(model)
    model.to(dtype)
    assert scores(model).dtype is dtype
    fresh = recogniser().to(dtype)
    assert torch.equal(model.class_features(), fresh.class_features())
    assert model.class_features().dtype is dtype
    model.float()
    assert model.class_features().dtype is torch.float32
    if dtype is torch.float64:
        torch.testing.assert_close(scores(model), single)
    torch.testing.assert_close(scores(model), expected(model))


def test_a_cast_there_and_back_is_noticed_wherever_the_weights_lie(model):
    """The weights lose digits on the way, and an allocator may give them their former place."""
    kept = model.class_features()
    model.bfloat16().float()
    assert model.kept_classes.kept is None
    assert not torch.equal(model.class_features(), kept)


def test_half_precision_gives_the_scores_of_full(model):
    """To the digits that features of 11 bits leave of cosines divided by 0.01."""
    single = scores(model)
    torch.testing.assert_close(scores(model.half()).float(), single, atol=0.05, rtol=0)


def test_copies_keep_their_own(model):
    kept = scores(model)
    other = copy.deepcopy(model)
    trained(other)
    torch.testing.assert_close(scores(other), expected(other))
    assert torch.equal(scores(model), kept)
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    assert torch.equal(scores(torch.load(file, weights_only=False)), kept)


def test_weights_made_for_inference_alone_have_features_too():
    """They keep no count of what is written to them."""
    with torch.inference_mode():
        model = recogniser()
        torch.testing.assert_close(scores(model), expected(model))


def test_a_distributed_model_makes_them_by_itself(model, tmp_path):
    """No hook, no exchange between processes; a buffer would be one, where one has it."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        wrapped = MMDistributedDataParallel(model, broadcast_buffers=True)
        torch.testing.assert_close(scores(wrapped), expected(model))
        wrapped.double()
        torch.testing.assert_close(scores(wrapped), expected(model), check_dtype=False)
    finally:
        torch.distributed.destroy_process_group()


def test_a_model_without_classes_says_what_to_set():
    model = recogniser()
    model.cls_head = None
    with pytest.raises(ValueError, match='set model.cls_head in the config'):
        model.set_classes()
