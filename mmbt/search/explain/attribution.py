"""What a cosine of video and text owes to each pixel: integrated gradients, and occlusion.

Both compare a clip with the same clip in grey, the mean colour of the frames that its CLIP was
trained on: zeros, once frames are normalised.
"""
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from mmbt.models import BTAdapter, FrameMean, VideoTextModel

Progress = Callable[[int, int], object]
TOLERANCE = 1e-3  # of a cosine, that the parts may miss their sum by
STEPS = (16, 32, 64, 128)  # places on the way from grey, more where the parts miss their sum


class Scorer:
    """The cosines of clips with one text, by a model of video and by the CLIP in it.

    Args:
        model: A model with a joint space of video and text.
        text: (E,) the text.

    Attributes:
        names: ``('branch', 'trunk')``: the whole model, and the mean over frames of its CLIP;
            ``('trunk',)`` alone where the model is that.
    """

    def __init__(self, model: VideoTextModel, text: Tensor) -> None:
        self.model, self.text = model, text
        self.has_branch = not isinstance(model.backbone, FrameMean)
        self.names = ('branch', 'trunk') if self.has_branch else ('trunk',)

    def __call__(self, imgs: Tensor) -> Tensor:
        """(B, T, 3, H, W) normalised frames -> (names, B) cosines."""
        imgs = imgs.to(next(self.model.parameters()).dtype)
        encoding, trunk = self.model.encode(imgs), self.model.trunk
        cls = encoding.clip_cls
        if self.has_branch and not isinstance(self.model.backbone, BTAdapter):
            cls = trunk.hidden_states(imgs, [trunk.num_layers])[0].cls  # each frame by itself
        assert cls is not None
        videos = [trunk.frame_mean(cls)]
        if self.has_branch:
            videos.insert(0, encoding.video)
        return torch.stack([self._cosine(video) for video in videos if video is not None])

    def _cosine(self, video: Tensor) -> Tensor:
        kind = torch.promote_types(video.dtype, torch.float32)
        return cosine_similarity(video.to(kind), self.text.to(kind)[None], dim=-1)


def integrated_gradients(scorer: Scorer, imgs: Tensor, steps: int, batch_size: int = 1,
                         progress: Progress | None = None) -> Tensor:
    """What each pixel adds to the cosines on the way from grey to the clip (Sundararajan 2017).

    ``x * integral over a in 0..1 of d cosine(a x) / d x``, by Gauss-Legendre quadrature. Its sum
    over all pixels is the clip's cosine less that of grey: completeness.

    https://arxiv.org/abs/1703.01365

    Args:
        scorer: The cosines.
        imgs: (1, T, 3, H, W) normalised frames.
        steps: Places on the way that gradients are taken at.
        batch_size: Places at a time.
        progress: Called after each batch with how many of how many are done.

    Returns:
        (names, T, H, W), summed over colours.
    """
    total = imgs.new_zeros((len(scorer.names), *imgs.shape[1:]))
    nodes, weights = (torch.from_numpy(values).to(imgs) / 2
                      for values in np.polynomial.legendre.leggauss(steps))
    for start in range(0, steps, batch_size):
        part = slice(start, start + batch_size)
        with torch.enable_grad():
            points = ((nodes[part] + 0.5)[:, None, None, None, None] * imgs).requires_grad_()
            scores = (scorer(points) * weights[part]).sum(dim=1)
            for place, score in enumerate(scores):
                gradient, = torch.autograd.grad(score, points,
                                                retain_graph=place + 1 < len(scores))
                total[place] += gradient.sum(dim=0)
        if progress is not None:
            progress(min(start + batch_size, steps), steps)
    return (total * imgs[0]).sum(dim=2)


def by_patches(pixels: Tensor, patch: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """(..., H, W) summed over each patch, (..., down, across); a rest at the edges is no patch's.

    Args:
        pixels: Of frames.
        patch: Height and width of a patch.
        grid: Patches down and across.
    """
    (height, width), (down, across) = patch, grid
    whole = pixels[..., :down * height, :across * width]
    return whole.unflatten(-1, (across, width)).unflatten(-3, (down, height)).sum((-3, -1))


@torch.no_grad()
def occlusion(scorer: Scorer, imgs: Tensor, patch: tuple[int, int], grid: tuple[int, int],
              batch_size: int = 8, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
    """What the cosines lose where one frame, or one patch of one frame, is grey: tried out.

    It takes T x (1 + down x across) clips through the model. Parts that stand in for each other
    lose nothing one by one, so that these have no sum.

    Args:
        scorer: The cosines.
        imgs: (1, T, 3, H, W) normalised frames.
        patch: Height and width of a patch.
        grid: Patches down and across.
        batch_size: Clips at a time.
        progress: Called after each batch with how many of how many are done.

    Returns:
        (names, T) of frames and (names, T, down, across) of patches.
    """
    frames = imgs.shape[1]
    places = list(_places(frames, patch, grid))
    losses = []
    for start in range(0, len(places), batch_size):
        part = places[start:start + batch_size]
        clips = imgs.repeat(len(part), 1, 1, 1, 1)
        for clip, (frame, rows, columns) in zip(clips, part):
            clip[frame, :, rows, columns] = 0
        losses.append(scorer(clips))
        if progress is not None:
            progress(start + len(part), len(places))
    lost = scorer(imgs) - torch.cat(losses, dim=1)
    return lost[:, :frames], lost[:, frames:].unflatten(1, (frames, *grid))


def _places(frames: int, patch: tuple[int, int],
            grid: tuple[int, int]) -> Iterator[tuple[int, slice, slice]]:
    """All frames whole, then all patches, frame by frame and row by row."""
    for frame in range(frames):
        yield frame, slice(None), slice(None)
    for frame in range(frames):
        for row in range(grid[0]):
            for column in range(grid[1]):
                yield (frame, slice(row * patch[0], (row + 1) * patch[0]),
                       slice(column * patch[1], (column + 1) * patch[1]))
