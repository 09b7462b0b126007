"""The architecture that shapes tell, for real sizes on the meta device and for tiny ones."""
import pytest

from mmbt.models.checkpoints.conversion.architecture import infer
from mmbt.models.checkpoints.conversion.convert import prepare
from mmbt.models.checkpoints.conversion.released import recognise
from mmbt.models.checkpoints.conversion.report import parts

from .files import CONFIGS, clip_shapes, eva_shapes, on_meta

pytestmark = pytest.mark.slow

REAL = {
    'ViT-L-14-quickgelu': clip_shapes(1024, 24, 14, 16, 768, 768, 12),
    'ViT-L-14-336-quickgelu': clip_shapes(1024, 24, 14, 24, 768, 768, 12),
    'ViT-B-16-quickgelu': clip_shapes(768, 12, 16, 14, 512, 512, 12),
    'ViT-B-32-quickgelu': clip_shapes(768, 12, 32, 7, 512, 512, 12),
    'EVA01-g-14': eva_shapes(),
}


@pytest.mark.parametrize('name', REAL)
def test_real_sizes_have_open_clips_names_and_fit_its_models(name):
    done = prepare(recognise(on_meta(REAL[name]), [], 'in.pth'), CONFIGS)
    assert done.arch == done.config.model.trunk.arch == name
    assert done.config.model.trunk.pretrained is None
    assert done.config.model.backbone == dict(
        type='BTAdapter', num_layers=4, num_frames=8, variant='released',
        combination='add' if 'EVA' in name else 'weighted')
    steps = {step.type: step for step in done.config.test_dataloader.dataset.pipeline}
    size = 336 if '336' in name else 224
    assert steps['Resize'].scale == (-1, size) and steps['CenterCrop'].crop_size == size
    assert steps['Resize'] == done.config.resize and steps['CenterCrop'] == done.config.center_crop
    assert (steps['ReadFrames'].num_frames, steps['TokenizeText'].context_length) == (12, 32)


def test_the_branch_has_the_papers_71_million_weights():
    """D = 1024. A temporal layer: 4 + 1 squares of D, as many biases, a norm of 2 D. A spatial one:
    4 + 8 squares, 4 + 5 biases, 4 D. A CLS, 8 rows, 4 gates."""
    done = prepare(recognise(on_meta(REAL['ViT-L-14-quickgelu']), [], 'in.pth'), CONFIGS)
    width = 1024
    layer = (5 + 12) * width**2 + (5 + 2 + 9 + 4) * width
    line, = parts({name: value for name, value in done.state.items() if 'branch' in name})
    assert line.startswith(f'branch: {4 * layer + (1 + 8 + 4) * width:,} weights in')


def test_sizes_without_a_name_become_a_dict():
    shapes = clip_shapes(128, 3, 8, 4, 48, 64, 2, vocabulary=90, context=20, layers=2)
    done = prepare(recognise(on_meta(shapes), [], 'in.pth'), CONFIGS)
    assert done.arch == dict(
        embed_dim=48, quick_gelu=True,
        vision_cfg=dict(image_size=32, patch_size=8, width=128, layers=3),
        text_cfg=dict(context_length=20, vocab_size=90, width=64, heads=1, layers=2))
    steps = {step.type: step for step in done.config.test_dataloader.dataset.pipeline}
    assert steps['TokenizeText'].context_length == 20 and steps['CenterCrop'].crop_size == 32
    assert any('heads of 64 channels' in note for note in done.notes)


def test_other_feed_forward_widths_are_seen():
    shapes = clip_shapes(128, 2, 8, 4, 48, 64, 2, layers=2)
    for name, shape in shapes.items():
        if 'mlp' in name and 'text' not in name:
            shapes[name] = tuple(384 if size == 512 else size for size in shape)
    done = prepare(recognise(on_meta(shapes), [], 'in.pth'), CONFIGS)
    assert done.arch['vision_cfg']['mlp_ratio'] == 3


@pytest.mark.parametrize('change, message', [
    (dict(width=96), 'a width of 96 cannot be told: .* --arch arch.json'),
    (dict(text_width=48), 'a width of 48 cannot be told: .* --arch arch.json')])
def test_heads_that_shapes_cannot_tell_ask_for_the_architecture(change, message):
    sizes = dict(dict(width=64, depth=2, patch=8, side=2, embed=8, text_width=64, text_depth=1),
                 **change)
    with pytest.raises(ValueError, match=message):
        infer(recognise(on_meta(clip_shapes(**sizes)), [], 'in.pth'))


def test_patches_that_are_no_square_ask_for_the_architecture():
    shapes = clip_shapes(64, 2, 8, 2, 8, 64, 1)
    shapes['backbone.position_embedding.weight'] = (7, 64)
    with pytest.raises(ValueError, match='6 patches, no square; .* --arch arch.json'):
        infer(recognise(on_meta(shapes), [], 'in.pth'))
