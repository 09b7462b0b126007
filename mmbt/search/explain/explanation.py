"""What a query's score rests on, as arrays: what :func:`mmbt.apis.explain` returns."""
import os
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from mmbt.models import BTAdapter, VideoTextModel
from mmbt.models.gates import Gate

from ..encoder import Encoder
from .attribution import (
    STEPS,
    TOLERANCE,
    Progress,
    Scorer,
    by_patches,
    integrated_gradients,
    occlusion,
)
from .moment import Moment, read_moment

METHODS = ('gradients', 'occlusion')


class WithEncoder(Protocol):
    """A model that :func:`mmbt.load` returns, or a :class:`mmbt.apis.VideoSearch`."""

    encoder: Encoder


@dataclass(frozen=True)
class Evidence:
    """What one model's score rests on.

    Attributes:
        score: The clip's cosine with the text.
        grey: That of the same clip in grey.
        frames: (T,) what each frame adds. With ``'gradients'`` the sums of its patches.
        patches: (T, down, across) what each patch of each frame adds.
        error: With ``'gradients'``, by how much the sum of all patches misses ``score - grey``;
            None with ``'occlusion'``, which promises no sum.
    """

    score: float
    grey: float
    frames: np.ndarray
    patches: np.ndarray
    error: float | None


@dataclass(frozen=True)
class Explanation:
    """Why a moment of a video scores as it does for a text.

    Attributes:
        path: The video.
        text: The text.
        model: Name of the video model's class.
        method: ``'gradients'`` or ``'occlusion'``.
        start: Of the moment, in seconds.
        end: The same.
        times: (T,) seconds at which the frames are shown; numbers of frames where the video has
            no times.
        timed: Whether it has.
        pictures: (T, H, W, 3) uint8 RGB, the frames as the model sees them.
        branch: The video model's evidence; None where it is the mean of CLIP's frames.
        trunk: That of the mean of CLIP's frames.
        gates: (G, D) the branch's share ``sigmoid(W_b)`` of each channel, gate by gate in the order
            of layers, the output's last; None where the model has no such gates.
        windows: (W, 2) start and end of the video's windows; None where the moment was given.
        window_scores: (W,) their cosines with the text, by the video model.
    """

    path: str
    text: str
    model: str
    method: str
    start: float
    end: float
    times: np.ndarray
    timed: bool
    pictures: np.ndarray
    branch: Evidence | None
    trunk: Evidence
    gates: np.ndarray | None
    windows: np.ndarray | None = None
    window_scores: np.ndarray | None = None


def explain(model: WithEncoder, video: str | os.PathLike, text: str, start: float | None = None,
            end: float | None = None, method: str = 'gradients',
            progress: Progress | None = None) -> Explanation:
    """Which frames and patches of a video answer a text, by the branch and by CLIP alone.

    Args:
        model: What :func:`mmbt.load` returns.
        video: A file.
        text: What is looked for.
        start: Of the moment, in seconds. Where neither is given, it is the window of the video
            that fits the text best, as a search finds it.
        end: The same.
        method: ``'gradients'``, integrated gradients from a grey clip to this one, whose parts sum
            to the score less that of grey; or ``'occlusion'``, what the score loses where a part is
            grey, which takes T x (1 + patches) clips through the model.
        progress: Called with how many passes of how many are done.

    Raises:
        VideoReadError: If the video cannot be read.
        ValueError: If the text is empty, the moment is not in the video, or the model cannot be
            explained by this method.
    """
    encoder, path = model.encoder, os.fspath(video)
    network = encoder.model
    if method not in METHODS:
        raise ValueError(f"method is 'gradients' or 'occlusion', got {method!r}")
    if method == 'gradients' and network.trunk.float8:
        raise ValueError("a trunk in float8 has no gradients: take method='occlusion', or set "
                         'float8=False')
    words = encoder.texts([text])[0]
    windows = scores = None
    if start is None and end is None:
        found = encoder.windows(path)
        scores = found.embeddings @ words
        windows = np.array(found.windows, np.float64)
        best = found.windows[int(scores.argmax())]
        if len(windows) > 1:
            start, end = best
    moment = read_moment(encoder, path, start, end)
    branch, trunk = evidence_of(network, moment, words, method, progress)
    return Explanation(
        path, text, type(network.backbone).__name__, method, moment.start, moment.end,
        moment.times, moment.timed, moment.clip.permute(0, 2, 3, 1).numpy(), branch, trunk,
        gates_of(network), windows, scores)


def evidence_of(model: VideoTextModel, moment: Moment, words: np.ndarray, method: str,
                progress: Progress | None = None) -> tuple[Evidence | None, Evidence]:
    """The evidence of the video model, if it is more than frame mean, and of its CLIP.

    Args:
        model: In eval mode.
        moment: The frames.
        words: (E,) the text.
        method: As :func:`explain` takes it.
        progress: The same.
    """
    imgs = model.data_preprocessor(dict(inputs=dict(imgs=[moment.clip])))['inputs']['imgs']
    scorer = Scorer(model, torch.from_numpy(words).to(imgs.device))
    options = model.trunk.visual.options
    with torch.no_grad():
        score, grey = scorer(torch.cat([imgs, torch.zeros_like(imgs)])).double().unbind(1)
    if method == 'occlusion':
        frames, patches = occlusion(scorer, imgs, options.patch_size, options.grid,
                                    progress=progress)
        errors = [None] * len(scorer.names)
    else:
        patches = _gradients(scorer, imgs, (score - grey), progress)
        frames = patches.sum((2, 3))
        errors = (patches.double().sum((1, 2, 3)) - (score - grey)).tolist()
    made = [Evidence(float(score[i]), float(grey[i]), frames[i].float().cpu().numpy(),
                     patches[i].float().cpu().numpy(), errors[i])
            for i in range(len(scorer.names))]
    return (made[0] if scorer.has_branch else None), made[-1]


def _gradients(scorer: Scorer, imgs: torch.Tensor, gain: torch.Tensor,
               progress: Progress | None) -> torch.Tensor:
    """Patches of integrated gradients, by as many steps as their sum needs."""
    options = scorer.model.trunk.visual.options
    is_coarse = next(scorer.model.parameters()).dtype.itemsize < 4  # rounding, that no step undoes
    for steps in STEPS[:1] if is_coarse else STEPS:
        pixels = integrated_gradients(scorer, imgs, steps, progress=progress)
        patches = by_patches(pixels, options.patch_size, options.grid)
        if (patches.double().sum((1, 2, 3)) - gain).abs().max() <= TOLERANCE:
            break
    return patches


def gates_of(model: VideoTextModel) -> np.ndarray | None:
    """(G, D) shares of the branch, gate by gate; None where it has no weighted gates."""
    if not isinstance(model.backbone, BTAdapter):
        return None
    branch = model.backbone.branch
    gates = [*branch.gates, branch.output_gate]
    if not all(isinstance(gate, Gate) for gate in gates):
        return None
    with torch.no_grad():
        return torch.stack([gate.weight.float().sigmoid() for gate in gates]).cpu().numpy()
