"""What a dialogue model reads of a video: by plain loops, and beside LLaVA's own CLIP."""
import math
import re

import pytest
import torch

from mmbt.conversation.models import VideoTokens
from mmbt.models import FrameMean, HuggingFaceTrunk

from ...support.tiny import stir
from ...support.tiny_backbones import BACKBONES, beside, stir_own
from ...support.tiny_towers import frames, inner_transformer, reference
from .tiny_dialogue import llava, videos

COMBINED = ('weighted', 'add', 'concat')
BRANCHED = ('BTAdapter', 'BTAdapter-released', 'STAN')


def stirred(name, drop_last=1):
    """A backbone with random weights beside open_clip's tiny CLIP."""
    torch.manual_seed(6)
    backbone = beside(reference('clip', drop_last), name)
    stir_own(backbone)
    return backbone


def joined(balance, name, branch, clip):
    """One token of the branch and one of CLIP, channel by channel."""
    width = len(clip)
    if name == 'add':
        return torch.stack([branch[c] + clip[c] for c in range(width)])
    if name == 'weighted':
        shares = [1 / (1 + math.exp(-balance.weight[c])) for c in range(width)]
        return torch.stack([shares[c] * branch[c] + (1 - shares[c]) * clip[c]
                            for c in range(width)])
    weight, bias = balance.proj.weight, balance.proj.bias
    return torch.stack([(weight[c, :width] * branch).sum() + (weight[c, width:] * clip).sum()
                        + bias[c] for c in range(width)])


def normed(trunk, token):
    """CLIP's last layer norm of one token."""
    spread = ((token - token.mean())**2).mean()
    norm = trunk.visual.norm
    return (token - token.mean()) / (spread + trunk.eps)**0.5 * norm.weight + norm.bias


def slow_tokens(tokens, combination, imgs):
    """:class:`VideoTokens` clip by clip, frame by frame and position by position."""
    encoding = tokens.backbone(imgs)
    clips = []
    for clip in range(len(imgs)):
        patches, cls = encoding.clip_tokens[clip], sum(encoding.clip_cls[clip]) / imgs.shape[1]
        grid = [[patch for patch in frame] for frame in patches]
        if encoding.branch_tokens is not None:
            grid = [[joined(tokens.gate, combination, encoding.branch_tokens[clip, t, n], patch)
                     for n, patch in enumerate(frame)] for t, frame in enumerate(patches)]
            cls = joined(tokens.gate, combination, encoding.branch_cls[clip], cls)
        of_frames = [sum(frame) / len(frame) for frame in grid]
        of_positions = [sum(column) / len(grid) for column in zip(*grid)]
        rows = dict(time=of_positions, space_time=of_frames + of_positions,
                    none=[patch for frame in grid for patch in frame])[tokens.pooling]
        rows = [*[cls] * (tokens.cls == 'first'), *rows, *[cls] * (tokens.cls == 'last')]
        trunk = tokens.backbone.trunk
        clips.append(torch.stack([normed(trunk, row) for row in rows] if tokens.norm else rows))
    return torch.stack(clips)


@pytest.mark.parametrize('combination', COMBINED)
@pytest.mark.parametrize('pooling', ['time', 'space_time', 'none'])
@pytest.mark.parametrize('name', BACKBONES)
def test_it_is_what_plain_loops_give(name, pooling, combination):
    backbone, imgs = stirred(name), frames('clip')
    assert (backbone(imgs).branch_tokens is not None) == (name in BRANCHED)
    for cls, norm in ((None, False), ('first', True)):
        tokens = VideoTokens(backbone, combination, pooling, cls, norm).double()
        stir(tokens.gate)
        with torch.no_grad():
            expected = slow_tokens(tokens, combination, imgs)
            torch.testing.assert_close(tokens(imgs), expected)


@pytest.mark.parametrize('cls, norm', [('first', False), ('last', False), (None, True)])
def test_cls_and_norm_do_not_depend_on_each_other(cls, norm):
    backbone, imgs = stirred('BTAdapter'), frames('clip')
    tokens = VideoTokens(backbone, cls=cls, norm=norm).double()
    both = VideoTokens(backbone, cls='first', norm=True).double()
    neither = VideoTokens(backbone).double()
    if norm:
        torch.testing.assert_close(tokens(imgs), both(imgs)[:, 1:])
    else:
        patches = slice(1, None) if cls == 'first' else slice(-1)
        assert torch.equal(tokens(imgs)[:, patches], neither(imgs))
        turned = tokens(imgs) if cls == 'first' else tokens(imgs).roll(1, 1)
        torch.testing.assert_close(backbone.trunk.norm(turned), both(imgs))


@pytest.mark.parametrize('name', ['BTAdapter', 'BTAdapter-released'])
def test_at_the_start_branch_and_clip_count_half_each(name):
    backbone, imgs = stirred(name), frames('clip')
    encoding = backbone(imgs)
    found = VideoTokens(backbone, cls='first').double()(imgs)
    patches = (encoding.branch_tokens + encoding.clip_tokens) / 2
    assert torch.equal(found[:, 1:], patches.mean(dim=1))
    cls = (encoding.branch_cls + encoding.clip_cls.mean(dim=1)) / 2
    assert torch.equal(found[:, 0], cls)
    assert not torch.allclose(encoding.branch_tokens, encoding.clip_tokens)


@pytest.mark.parametrize('weight, side', [(50., 'branch'), (-50., 'clip')])
def test_the_balance_leans_to_the_branch_where_its_weight_is_large(weight, side):
    backbone, imgs = stirred('BTAdapter'), frames('clip')
    tokens = VideoTokens(backbone, pooling='none', cls='first').double()
    tokens.gate.weight.data.fill_(weight)
    encoding = backbone(imgs)
    cls = dict(branch=encoding.branch_cls, clip=encoding.clip_cls.mean(dim=1))[side]
    patches = getattr(encoding, f'{side}_tokens').flatten(1, 2)
    torch.testing.assert_close(tokens(imgs), torch.cat([cls[:, None], patches], dim=1))


def test_only_the_branch_knows_the_frames_order():
    """The mean over frames of CLIP alone is the same in any order."""
    imgs = frames('clip')
    mixed = imgs[:, [2, 0, 3, 1]]
    blind, seeing = [VideoTokens(stirred(name), cls='first').double()
                     for name in ('FrameMean', 'BTAdapter')]
    torch.testing.assert_close(blind(imgs), blind(mixed))
    assert (seeing(imgs) - seeing(mixed)).abs().amax(dim=(0, 2)).min() > 1e-3


@pytest.mark.parametrize('drop_last', [1, 2])
def test_a_trunk_without_its_last_layer_gives_the_second_to_last(drop_last):
    """LLaVA reads CLIP there: the tokens are transformers' own hidden states."""
    model, imgs = llava(), videos()
    trunk = HuggingFaceTrunk(model, drop_last=drop_last)
    found = VideoTokens(FrameMean(trunk), cls='first').double()(imgs)
    with torch.no_grad():
        states = inner_transformer(model)(imgs.flatten(0, 1), output_hidden_states=True)
    expected = states.hidden_states[-1 - drop_last].unflatten(0, imgs.shape[:2]).mean(dim=1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('arguments, message', [
    (dict(combination='sum'),
     "combination is one of ['add', 'concat', 'weighted'], got 'sum'"),
    (dict(pooling='space'), "pooling is one of ['time', 'space_time', 'none'], got 'space'"),
    (dict(cls='end'), "cls is one of [None, 'first', 'last'], got 'end'")])
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f'^{re.escape(message)}$'):
        VideoTokens(stirred('FrameMean'), **arguments)
