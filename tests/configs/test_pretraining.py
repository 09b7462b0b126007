"""Pretraining with the paper's settings, beside CLIP and beside EVA-CLIP."""
import open_clip
import pytest

from mmbt.models.preprocessor import CLIP_MEAN, CLIP_STD

from .layouts import load


def test_pretraining_has_the_papers_settings():
    """Table 8 and Sec. 4.1."""
    config = load('pretrain_webvid')
    optimizer = config.optim_wrapper.optimizer
    assert config.optim_wrapper.type == 'OptimWrapper'
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ('AdamW', 2e-6, 0.05)
    assert tuple(optimizer.betas) == (0.9, 0.98)
    assert config.train_dataloader.batch_size * 8 == config.auto_scale_lr.base_batch_size == 640
    assert config.train_cfg.max_epochs == 1
    assert config.model.trunk.arch == 'ViT-L-14-quickgelu'
    assert (config.model.backbone.num_layers, config.model.backbone.num_frames) == (4, 8)
    assert config.model.mask.ratio == 0.7
    assert [(head.type, head.loss_weight, head.get('temperature')) for head in config.model.heads
            ] == [('VTCHead', 1, 0.01), ('MBTAHead', 1, None), ('MBCAHead', 1, 0.01)]


def test_pretraining_beside_eva_clip():
    """The paper's heads and settings, and a smaller batch; the schedule follows."""
    paper, eva = load('pretrain_webvid').to_dict(), load('pretrain_webvid_eva_clip_g').to_dict()
    trunk = eva['model'].pop('trunk')
    assert trunk == dict(
        type='OpenCLIPTrunk', arch='EVA01-g-14', pretrained='laion400m_s11b_b41k')
    del paper['model']['trunk']
    assert paper['model'] == eva['model']
    for config, batch in ((paper, 80), (eva, 16)):
        assert config['train_dataloader'].pop('batch_size') == batch
        assert config['auto_scale_lr'].pop('base_batch_size') == 8 * batch
    assert paper == eva


def test_eva_clip_takes_openais_pixels():
    """So that the preprocessor's defaults serve, and its weights are known to open_clip."""
    trunk = load('pretrain_webvid_eva_clip_g').model.trunk
    pixels = open_clip.get_pretrained_cfg(trunk.arch, trunk.pretrained)
    assert tuple(255 * v for v in pixels['mean']) == pytest.approx(CLIP_MEAN)
    assert tuple(255 * v for v in pixels['std']) == pytest.approx(CLIP_STD)
