"""Pretraining files beside EVA-CLIP, against the released arithmetic written out in loops."""
import math

import pytest
import torch
from open_clip.model import CustomTextCLIP

from mmbt.apis import init_model
from mmbt.models.checkpoints.conversion import describe
from mmbt.models.families.open_clip_weights import architecture

from ...support.tiny_towers import EVA
from .files import arch_file, converted, eva_shapes, filled, save

DEPTH, LAYERS, HEADS, WIDTH, FRAMES = 4, 2, 2, 32, 3
TRUNK_EPS, SPATIAL_EPS = 1e-6, 1e-5


@pytest.fixture(scope='module')
def state():
    """A released file beside a tiny EVA. Tiny first tokens make the epsilons tell."""
    weights = filled(eva_shapes(WIDTH, DEPTH, 96, side=2, embed=12, text_width=16, text_depth=2,
                                vocabulary=60, context=8, layers=LAYERS))
    for name in ('cls_token', 'pos_embed', 'patch_embed.proj.weight', 'patch_embed.proj.bias',
                 'btadapter_cls', 'btadapter_position.weight'):
        weights[f'backbone.{name}'] *= 1e-2
    return weights


def norm(w, name, x, eps):
    """LN of one token."""
    centred = x - x.mean()
    return centred / (centred.square().mean() + eps).sqrt() * w[f'{name}.weight'] \
        + w[f'{name}.bias']


def linear(w, name, x):
    """A Linear layer on one token."""
    return w[f'{name}.weight'] @ x + w[f'{name}.bias']


def attend(w, name, tokens):
    """Attention among tokens, one query and one head at a time; keys have no bias."""
    size = WIDTH // HEADS
    bias = torch.cat([w[f'{name}.q_bias'], 0 * w[f'{name}.q_bias'], w[f'{name}.v_bias']])
    rows = [(w[f'{name}.qkv.weight'] @ x + bias).view(3, HEADS, size) for x in tokens]
    out = []
    for query in rows:
        heads = []
        for h in range(HEADS):
            scores = torch.stack([query[0, h] @ row[1, h] / math.sqrt(size) for row in rows])
            share = scores.softmax(dim=0)
            heads.append(sum(s * row[2, h] for s, row in zip(share, rows)))
        out.append(linear(w, f'{name}.proj', torch.cat(heads)))
    return out


def mlp(w, name, x, eps):
    """x + FFN(LN(x)), with the exact GELU."""
    hidden = linear(w, f'{name}.mlp.fc1', norm(w, f'{name}.norm2', x, eps))
    hidden = hidden * (1 + torch.erf(hidden / math.sqrt(2))) / 2
    return x + linear(w, f'{name}.mlp.fc2', hidden)


def clip_states(w, frame):
    """EVA's tokens of one frame, CLS first, after 0, 1, .. layers."""
    tokens = [w['backbone.cls_token'][0, 0]]
    for row in range(2):
        for column in range(2):
            patch = frame[:, 14 * row:14 * row + 14, 14 * column:14 * column + 14]
            kernel = w['backbone.patch_embed.proj.weight']
            tokens.append((kernel * patch).sum(dim=(1, 2, 3)) + w['backbone.patch_embed.proj.bias'])
    tokens = [x + p for x, p in zip(tokens, w['backbone.pos_embed'][0])]
    states = [tokens]
    for i in range(DEPTH):
        name = f'backbone.blocks.{i}'
        normed = [norm(w, f'{name}.norm1', x, TRUNK_EPS) for x in tokens]
        updates = attend(w, f'{name}.attn', normed)
        tokens = [mlp(w, name, x + u, TRUNK_EPS) for x, u in zip(tokens, updates)]
        states.append(tokens)
    return states


def encode(w, clip):
    """The released embedding of one clip (T, 3, 28, 28)."""
    states = [clip_states(w, frame) for frame in clip]
    positions, time = w['backbone.pos_embed'][0], w['backbone.btadapter_position.weight']
    for i in range(LAYERS):
        level = [frame[DEPTH - LAYERS + 1 + i] for frame in states]
        mean_cls = sum(tokens[0] for tokens in level) / len(level)
        if i == 0:
            cls = (mean_cls + w['backbone.btadapter_cls'][0, 0] + positions[0]) / 2
            grid = [[x + time[t] + p for x, p in zip(tokens[1:], positions[1:])]
                    for t, tokens in enumerate(level)]
        else:
            cls = cls + mean_cls
            grid = [[a + b for a, b in zip(ours, theirs[1:])] for ours, theirs in zip(grid, level)]
        cls, grid = branch_layer(w, i, cls, grid)
    head = [linear(w, 'backbone.head', norm(w, 'backbone.norm', cls + frame[DEPTH][0], TRUNK_EPS))
            for frame in states]
    return sum(head) / len(head)


def branch_layer(w, index, cls, grid):
    """Attention among frames at each position, then within each frame with a copy of the CLS."""
    name = f'backbone.btadapter_T.{index}'
    for j in range(len(grid[0])):
        tube = [norm(w, f'{name}.norm1', row[j], TRUNK_EPS) for row in grid]
        for row, update in zip(grid, attend(w, f'{name}.attn', tube)):
            row[j] = row[j] + linear(w, f'{name}.temporal_fc', update)
    name, out, cls_updates = f'backbone.btadapter_S.{index}', [], []
    for row in grid:
        normed = [norm(w, f'{name}.norm1', x, SPATIAL_EPS) for x in [cls, *row]]
        updates = attend(w, f'{name}.attn', normed)
        cls_updates.append(updates[0])
        out.append([mlp(w, name, x + u, SPATIAL_EPS) for x, u in zip(row, updates[1:])])
    return mlp(w, name, cls + sum(cls_updates) / len(grid), SPATIAL_EPS), out


@torch.no_grad()
def test_it_encodes_as_the_released_code_does(state, tmp_path):
    extra = {'text_backbone.attn_mask': torch.zeros(8, 8)}
    path = save(dict(state_dict={**state, **extra}), tmp_path / 'in.pth')
    done, _ = converted(path, tmp_path, arch=arch_file(tmp_path, EVA))
    model = init_model(tmp_path / 'out.py', str(tmp_path / 'out.pth')).double()
    generator = torch.Generator().manual_seed(5)
    video = torch.randn(2, FRAMES, 3, 28, 28, generator=generator, dtype=torch.float64)
    double = {name: value.double() for name, value in state.items()}
    slow = torch.stack([encode(double, clip) for clip in video])
    torch.testing.assert_close(model.encode_video(video), slow, rtol=0, atol=1e-9)

    text = CustomTextCLIP(**architecture(EVA)).text
    text.load_state_dict({name[len('text_backbone.'):]: value for name, value in state.items()
                          if name.startswith('text_backbone.')})
    tokens = torch.tensor([[58, 3, 59, 0, 0, 0, 0, 0], [58, 4, 5, 6, 7, 8, 9, 59]])
    torch.testing.assert_close(model.encode_text(tokens), text.double().eval()(tokens))
    report = describe(done, 'in.pth', 'out.pth')
    assert 'EVA-CLIP' in report and 'dropped: text_backbone.attn_mask, ' in report


def test_an_eva_of_other_sizes_asks_for_its_architecture(state, tmp_path):
    path = save(state, tmp_path / 'in.pth')
    with pytest.raises(ValueError, match='4 layers of 32 channels is not EVA01-g-14; .*--arch'):
        converted(path, tmp_path, arch=None)
    assert not (tmp_path / 'out.pth').exists()
