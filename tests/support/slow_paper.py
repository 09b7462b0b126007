"""Eqs. 1 to 8 of the paper, one token at a time: slow, and written from the paper alone.

It shares with the model nothing but the parameters. Positions are numbered 0..N-1, frames 0..T-1.
"""
import math

import torch


def layer_norm(x, norm):
    """LN of one token (D,)."""
    centred = x - x.mean()
    return centred / torch.sqrt((centred**2).mean() + norm.eps) * norm.weight + norm.bias


def attention(sequence, attn):
    """Self-attention of a list of tokens (D,), one query and one head at a time."""
    width, heads = len(sequence[0]), attn.num_heads
    size = width // heads
    projected = [attn.qkv.weight @ x + attn.qkv.bias for x in sequence]
    outputs = []
    for query_row in projected:
        mixed = []
        for h in range(heads):
            own = slice(h * size, (h + 1) * size)
            query = query_row[:width][own]
            scores = torch.stack(
                [query @ row[width:2 * width][own] / math.sqrt(size) for row in projected])
            weights = scores.exp() / scores.exp().sum()
            mixed.append(sum(w * row[2 * width:][own] for w, row in zip(weights, projected)))
        outputs.append(attn.proj.weight @ torch.cat(mixed) + attn.proj.bias)
    return outputs


def feed_forward(x, block):
    """FFN(LN(x)) + x, the second line of Eq. 1, with quick-GELU."""
    hidden = block.fc1.weight @ layer_norm(x, block.norm2) + block.fc1.bias
    hidden = hidden * torch.sigmoid(1.702 * hidden)
    return x + block.fc2.weight @ hidden + block.fc2.bias


def temporal_layer(tokens, block):
    """Eq. 2 on tokens[i][j]: each position attends over the frames."""
    frames, positions = len(tokens), len(tokens[0])
    out = [[None] * positions for _ in range(frames)]
    for j in range(positions):
        tube = [layer_norm(tokens[i][j], block.norm) for i in range(frames)]
        for i, update in enumerate(attention(tube, block.attn)):
            update = block.temporal_fc.weight @ update + block.temporal_fc.bias
            out[i][j] = tokens[i][j] + update
    return out


def spatial_layer(cls, tokens, block):
    """Eq. 1 on each frame with the video's CLS, whose updates are averaged over frames."""
    out, cls_updates = [], []
    for frame in tokens:
        updates = attention([layer_norm(x, block.norm1) for x in [cls, *frame]], block.attn)
        cls_updates.append(updates[0])
        out.append([feed_forward(x + u, block) for x, u in zip(frame, updates[1:])])
    return feed_forward(cls + sum(cls_updates) / len(cls_updates), block), out


def clip_start(visual, frame):
    """V(0) of one frame (3, H, W): the CLS, then patch by patch, each at its place."""
    height, width = visual.options.patch_size
    kernel, places = visual.patch_embedding.weight, visual.position_embedding
    tokens = [visual.cls_token]
    for top in range(0, frame.shape[1], height):
        for left in range(0, frame.shape[2], width):
            patch = frame[:, top:top + height, left:left + width]
            tokens.append((kernel * patch).sum(dim=(1, 2, 3)))
    return [layer_norm(x + place, visual.pre_norm) for x, place in zip(tokens, places)]


def clip_attention(sequence, block):
    """First line of Eq. 1; all tokens of the list attend to each other."""
    updates = attention([layer_norm(x, block.norm1) for x in sequence], block.attn)
    return [x + u for x, u in zip(sequence, updates)]


def clip_layer(sequence, block):
    """Eq. 1."""
    return [feed_forward(x, block) for x in clip_attention(sequence, block)]


def clip_hidden_states(trunk, frame):
    """V(0)..V(L) of one frame (3, H, W), each (1 + N, D)."""
    states = [clip_start(trunk.visual, frame)]
    for block in trunk.visual.blocks:
        states.append(clip_layer(states[-1], block))
    return [torch.stack(state) for state in states]


def time_row(rows, frame, frames):
    """The time embedding of one frame: a trained row, or what lies between two of them."""
    if frames <= len(rows):  # the middle of the frame's share of the clip
        place = (frame + 0.5) * len(rows) / frames - 0.5
    else:  # from the first row to the last
        place = frame * (len(rows) - 1) / (frames - 1)
    below = math.floor(place)
    above = min(below + 1, len(rows) - 1)
    return rows[below] + (place - below) * (rows[above] - rows[below])


def encode_clip(model, frames, visible):
    """Eqs. 2 to 5 for one clip: its embedding, and last branch and CLIP tokens by [frame][j]."""
    trunk, branch, depth = model.trunk, model.backbone.branch, model.trunk.num_layers
    layers = model.backbone.num_layers
    with torch.no_grad():
        states = [clip_hidden_states(trunk, frame) for frame in frames]

    def clip_patches(level):
        return [[states[i][level][1 + j] for j in visible] for i in range(len(frames))]

    def clip_cls(level):
        return sum(states[i][level][0] for i in range(len(frames))) / len(frames)

    def gate(module, ours, theirs):
        return torch.sigmoid(module.weight) * ours + (1 - torch.sigmoid(module.weight)) * theirs

    space = trunk.visual.position_embedding
    cls = branch.cls_token
    times = [time_row(branch.time_embedding, i, len(frames)) for i in range(len(frames))]
    tokens = [[x + time + space[1 + j] for x, j in zip(row, visible)]
              for time, row in zip(times, clip_patches(depth - layers))]  # Eq. 3
    for layer in range(1, layers + 1):
        if layer > 1:  # Eq. 4
            level = depth - layers + layer - 1
            select = branch.gates[layer - 2]
            tokens = [[gate(select, a, b) for a, b in zip(ours, theirs)]
                      for ours, theirs in zip(tokens, clip_patches(level))]
            cls = gate(select, cls, clip_cls(level))
        tokens = temporal_layer(tokens, branch.temporal[layer - 1])
        cls, tokens = spatial_layer(cls, tokens, branch.spatial[layer - 1])
    fused = gate(branch.output_gate, cls, clip_cls(depth))
    video = layer_norm(fused, trunk.visual.norm) @ trunk.visual.proj.weight.T  # Eq. 5
    return video, tokens, clip_patches(depth)


def nce(xs, ys, tau):
    """L_nce of Eq. 6 on lists of unit vectors."""
    total = 0
    for m, x in enumerate(xs):
        exponentials = [torch.exp(x @ y / tau) for y in ys]
        total = total - torch.log(exponentials[m] / sum(exponentials))
    return total / len(xs)


def losses(model, imgs, tokens, visible):
    """Eqs. 6 to 8 for a batch whose clip b sees the positions visible[b]."""
    unit = lambda x: x / x.norm()  # noqa: E731
    clips = [encode_clip(model, imgs[b], visible[b].tolist()) for b in range(len(imgs))]
    with torch.no_grad():
        text = [unit(model.text(row[None])[0]) for row in tokens]
    heads = {head.name: head for head in model.heads}
    project, fresh = model.trunk.visual.proj.weight.T, heads['loss_mbta'].proj.weight

    videos = [unit(video) for video, _, _ in clips]
    alignment, count, pooled = 0, 0, []
    for _, branch, clip in clips:
        flat = [(s, t) for ours, theirs in zip(branch, clip) for s, t in zip(ours, theirs)]
        for student, teacher in flat:
            error = teacher @ project - fresh @ student
            alignment, count = alignment + (error**2).mean(), count + 1
        pooled.append(unit(sum(s @ project for s, _ in flat) / len(flat)))
    return dict(
        loss_vtc=nce(videos, text, 0.01) + nce(text, videos, 0.01),
        loss_mbta=alignment / count,
        loss_mbca=nce(pooled, text, 0.01) + nce(text, pooled, 0.01))
