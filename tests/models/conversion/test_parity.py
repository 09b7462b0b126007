"""Converted weights compute what the authors' released code computes with them."""
import pytest
import torch
from mmengine.config import Config

from mmbt.apis import init_model
from mmbt.models.card import ModelCard
from mmbt.models.checkpoints.card_files import model_card

from .files import PARITY, converted, expected

CLOSE = dict(rtol=0, atol=1e-4)  # float32; the tokens reach 60


@pytest.fixture(scope='module', params=['plain', 'gated'])
def parity(request, tmp_path_factory):
    """A folder with OUT.pth and OUT.py of a parity file, and what is expected."""
    folder = tmp_path_factory.mktemp(request.param)
    converted(PARITY / f'{request.param}.pth', folder)
    return folder, expected(request.param)


def streams(encoding):
    """CLIP's and the branch's tokens in the released order: CLS first, the branch patch-major."""
    clip = torch.cat([encoding.clip_cls[:, :, None], encoding.clip_tokens], dim=2)
    patches = encoding.branch_tokens.transpose(1, 2).flatten(1, 2)
    return clip.flatten(0, 1), torch.cat([encoding.branch_cls[:, None], patches], dim=1)


@torch.no_grad()
def test_embeddings_and_last_tokens(parity):
    folder, right = parity
    model = init_model(folder / 'out.py', str(folder / 'out.pth'))
    clip, branch = streams(model.encode(right['video']))
    torch.testing.assert_close(model.encode_video(right['video']), right['video_features'], **CLOSE)
    torch.testing.assert_close(model.encode_text(right['tokens']), right['text_features'], **CLOSE)
    torch.testing.assert_close(clip, right['last_clip_tokens'], **CLOSE)
    torch.testing.assert_close(branch, right['last_branch_tokens'], **CLOSE)


@torch.no_grad()
def test_tokens_one_layer_earlier(parity):
    """What conversation models read, from the same checkpoint without CLIP's last layer."""
    folder, right = parity
    config = Config.fromfile(folder / 'out.py')
    config.model.trunk.drop_last = 1
    config.model.heads = []
    clip, branch = streams(init_model(config, str(folder / 'out.pth')).encode(right['video']))
    torch.testing.assert_close(clip, right['penultimate_clip_tokens'], **CLOSE)
    torch.testing.assert_close(branch, right['penultimate_branch_tokens'], **CLOSE)


def test_the_card_is_in_both_files(parity):
    """As the model's own, which they make; a file of another activation is refused."""
    folder, _ = parity
    config = Config.fromfile(folder / 'out.py')
    model = init_model(config, str(folder / 'out.pth'))
    told = torch.load(folder / 'out.pth', weights_only=True)['meta']['model_card']
    assert ModelCard.from_dict(told) == ModelCard.from_dict(config.model_card.to_dict())
    assert list(model_card(model).differences(ModelCard.from_dict(told))) == []
    assert (told['activation'], told['image_size'], told['depth']) == ('quick_gelu', [32, 32], 6)
    config.model.trunk.arch.quick_gelu = False
    with pytest.raises(ValueError, match=f'^{folder}/out.pth .*quick-GELU'):
        init_model(config, str(folder / 'out.pth'))
