"""How encodings are compared: with each other, with a loop over single tokens, and backwards."""
import torch

from mmbt.models.structures import VideoEncoding


def parts(encoding):
    """What an encoding has, by name."""
    return {name: value for name, value in vars(encoding).items() if value is not None}


def assert_same(encoding, other, atol=1e-9):
    """Two encodings are the same in all that is not None, and None in the same places."""
    ours, theirs = parts(encoding), parts(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=0, atol=atol,
                                   msg=lambda m, n=name: f'{n}: {m}')


def stacked(encodings):
    """Encodings of single clips as that of their batch."""
    each = [parts(encoding) for encoding in encodings]
    return VideoEncoding(**{name: torch.stack([e[name] for e in each]) for name in each[0]})


def assert_agree(model, imgs, slow_encode):
    """Encoding and the gradients of all that is trained, against a slow encoding of one clip.

    Returns:
        The names of what is trained outside the text tower.
    """
    fast, slow = model.encode(imgs), stacked([slow_encode(model, clip) for clip in imgs])
    assert_same(fast, slow)
    weights = {n: p for n, p in model.backbone.named_parameters()
               if p.requires_grad and not n.startswith('trunk.text.')}
    generator = torch.Generator().manual_seed(7)
    totals = [0, 0]
    for a, b in zip(parts(fast).values(), parts(slow).values()):
        functional = torch.randn(a.shape, generator=generator, dtype=a.dtype)
        totals = [total + (x * functional).sum() for total, x in zip(totals, (a, b))]
    gradients = [torch.autograd.grad(total, weights.values()) for total in totals]
    for name, a, b in zip(weights, *gradients):
        assert a.any(), name
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9, msg=lambda m, n=name: f'{n}: {m}')
    return set(weights)


def moved_by_reversal(encode_video, imgs):
    """How far the embeddings move when the frames come in reverse order."""
    return (encode_video(imgs.flip(1)) - encode_video(imgs)).abs().max()
