"""What a pipeline is told of the CLIP behind it, and what it is refused for."""
from dataclasses import replace

import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch.utils.data import Dataset

from mmbt.datasets import TokenizeText, fit_pipeline
from mmbt.datasets.pipeline_fit import frames_of, transforms_of
from mmbt.models import OpenCLIPTrunk
from mmbt.models.card import ModelCard
from mmbt.models.tokenizer import TokenizerSpec

from ..support.tiny import TINY

CARD = ModelCard(arch='ViT-Tiny', image_size=(16, 12), resize_mode='shortest', tokenizer='clip',
                 context_length=16)
READ = dict(type='ReadFrames', num_frames=2)
SHORTER = [READ, dict(type='Resize', scale=(-1, 16)), dict(type='CenterCrop', crop_size=(12, 16))]
SQUASH = [READ, dict(type='Resize', scale=(12, 16), keep_ratio=False)]
RANDOM = [READ, dict(type='Resize', scale=(-1, 20)), dict(type='RandomResizedCrop'), SQUASH[1]]


def build(*steps):
    with DefaultScope.overwrite_default_scope('mmaction'):
        return Compose(list(steps)).transforms


@pytest.mark.parametrize('steps, expected', [
    (SHORTER, ((16, 12), ['shortest'])), (SQUASH, ((16, 12), ['squash'])),
    (RANDOM, ((16, 12), [])), ([READ], (None, [])), (SHORTER[:2], (None, [])),
    ([READ, SHORTER[2]], ((16, 12), [])),
    ([READ, dict(type='MultiScaleCrop', input_size=(12, 16))], ((16, 12), [])),
    ([READ, dict(type='Resize', scale=(-1, 16)), dict(type='ThreeCrop', crop_size=16)],
     ((16, 16), ['shortest'])),
])
def test_what_a_pipeline_does_to_frames(steps, expected):
    assert frames_of(build(*steps)) == expected


@pytest.mark.parametrize('steps, card, message', [
    (SHORTER, CARD, None), (RANDOM, CARD, None), ([READ], CARD, None),
    (SQUASH, replace(CARD, resize_mode='squash'), None), (SQUASH, replace(CARD, resize_mode=None),
                                                          None),
    (SQUASH, CARD, r"resizes by 'squash', and the CLIP \(ViT-Tiny\) was trained on frames resized "
                   r"by 'shortest': set dict\(type='Resize', scale=\(-1, 16\)\), .*crop_size=12"),
    (SHORTER, replace(CARD, resize_mode='squash'),
     r"resized by 'squash': set dict\(type='Resize', scale=\(12, 16\), keep_ratio=False\), no c"),
    (SHORTER, replace(CARD, image_size=(16, 16)),
     r'frames of 16 x 12 pixels .*, and the CLIP \(ViT-Tiny\) takes 16 x 16: set the sizes of Res'),
    ([*SHORTER, dict(type='Normalize', mean=[0.] * 3, std=[1.] * 3)], CARD, 'leave Normalize out'),
])
def test_frames_are_as_the_clip_was_trained_or_refused(steps, card, message):
    if message is None:
        fit_pipeline(build(*steps), card)
    else:
        with pytest.raises(ValueError, match=message):
            fit_pipeline(build(*steps), card)


@pytest.fixture(scope='module')
def text():
    """A text tower that knows CLIP's words."""
    words = dict(TINY['text_cfg'], vocab_size=49408, context_length=16)
    return OpenCLIPTrunk(dict(TINY, text_cfg=words)).text


@pytest.mark.parametrize('arguments, message', [
    (dict(context_length=9), None), (dict(context_length=9, arch='ViT-B-16'), None),
    (dict(context_length=17), 'says context_length=17, and the text tower takes 16 tokens'),
    (dict(context_length=9, arch=dict(text_cfg=dict(tokenizer_kwargs=dict(clean='whitespace')))),
     r'TokenizeText says arch=.*, whose tokenizer is clip clean=whitespace, .* is clip: leave'),
])
def test_texts_are_as_the_clip_was_trained_or_refused(arguments, message, text):
    step = TokenizeText(**arguments)
    if message is None:
        fit_pipeline([step], CARD, text)
        sample = dict(captions=['A man'], video_id='v')
        assert step(sample)['tokens'].tolist() == text.tokenize(['A man'], 9).tolist()
    else:
        with pytest.raises(ValueError, match=message):
            fit_pipeline([step], CARD, text)


class Videos(Dataset):
    """A data set with a pipeline, or some of these."""

    def __init__(self, *steps):
        self.pipeline = Compose(list(steps))

    def __len__(self):
        return 3


def test_transforms_are_found_wherever_they_lie():
    """In data sets that wrap others, and in transforms that apply others."""
    class Wrapped(Dataset):
        def __init__(self, dataset=None, datasets=()):
            self.dataset, self.datasets = dataset, list(datasets)

        def __len__(self):
            return 3

    first, second, third = (TokenizeText(length) for length in (8, 9, 10))
    inner = TRANSFORMS.build(dict(type='mmcv.RandomApply', transforms=[third], prob=0.5))
    whole = Wrapped(datasets=[Videos(first), Wrapped(Videos(second, inner))])
    found = [step for step in transforms_of(whole) if isinstance(step, TokenizeText)]
    assert [step.context_length for step in found] == [8, 9, 10]
    with pytest.raises(ValueError, match='context_length=10, and the text tower takes 9'):
        fit_pipeline(whole, replace(CARD, context_length=9), type('Text', (), dict(
            tokenizer=TokenizerSpec(), tokenize=lambda *_: None))())
