"""What the authors' released code computes, one token at a time, from a description of it.

It shares with the model nothing but the parameters, and with slow_paper.py the two layers.
"""
import torch

from .slow_paper import clip_hidden_states, layer_norm, nce, spatial_layer, temporal_layer


def encode_clip(model, frames, visible):
    """One clip: its embedding, and the last branch and CLIP tokens by [frame][position]."""
    trunk, branch, depth = model.trunk, model.backbone.branch, model.trunk.num_layers
    layers, count = model.backbone.num_layers, len(frames)
    with torch.no_grad():
        states = [clip_hidden_states(trunk, frame) for frame in frames]

    def patches(level):
        return [[states[i][level][1 + j] for j in visible] for i in range(count)]

    def mean_cls(level):
        return sum(states[i][level][0] for i in range(count)) / count

    def mix(balance, scale, ours, theirs):
        share = torch.sigmoid(scale * balance)  # of CLIP, not of the branch
        return (1 - share) * ours + share * theirs

    visual = trunk.visual
    space, project = visual.position_embedding, visual.proj.weight.T
    for layer in range(layers):
        level = depth - layers + 1 + layer
        if layer == 0:
            cls = (mean_cls(level) + branch.cls_shift + space[0]) / 2
            tokens = [[x + branch.time_embedding[i] + space[1 + j] for x, j in zip(row, visible)]
                      for i, row in enumerate(patches(level))]
        else:
            balance = branch.gates[layer - 1].weight / -1e2
            tokens = [[mix(balance, 1e2, a, b) for a, b in zip(ours, theirs)]
                      for ours, theirs in zip(tokens, patches(level))]
            cls = mix(balance, 1e2, cls, mean_cls(level))
        tokens = temporal_layer(tokens, branch.temporal[layer])
        cls, tokens = spatial_layer(cls, tokens, branch.spatial[layer])
    balance = branch.output_gate.weight / -1e4
    fused = [mix(balance, 1e4, cls, states[i][depth][0]) for i in range(count)]
    video = sum(layer_norm(x, visual.norm) @ project for x in fused) / count
    return video, tokens, patches(depth)


def losses(model, imgs, tokens, visible):
    """Its three losses with weights of one."""
    unit = lambda x: x / x.norm()  # noqa: E731
    clips = [encode_clip(model, imgs[b], visible[b].tolist()) for b in range(len(imgs))]
    with torch.no_grad():
        text = [unit(model.text(row[None])[0]) for row in tokens]
    fresh = {head.name: head for head in model.heads}['loss_mbta'].proj
    norm, project = model.trunk.visual.norm, model.trunk.visual.proj.weight.T
    videos = [unit(video) for video, _, _ in clips]
    errors, pooled = [], []
    for _, branch, clip in clips:
        for ours, theirs in zip(branch, clip):
            for s, t in zip(ours, theirs):
                student = layer_norm(fresh[0].weight @ s + fresh[0].bias, fresh[1])
                teacher = layer_norm(t, norm) @ project
                errors.append((unit(student) - unit(teacher)).square().sum())
        flat = [s for row in branch for s in row]
        pooled.append(unit(sum(s @ project for s in flat) / len(flat)))
    return dict(
        loss_vtc=nce(videos, text, 0.01) + nce(text, videos, 0.01),
        loss_mbta=sum(errors) / len(errors),
        loss_mbca=nce(pooled, text, 0.01) + nce(text, pooled, 0.01))
