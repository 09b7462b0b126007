"""Talk with an image dialogue model about videos."""
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from torch import Tensor

from mmbt.datasets import ReadFrames, fit_pipeline
from mmbt.models import VideoTextDataPreprocessor
from mmbt.models.checkpoints.branch_file import warn_untrained
from mmbt.models.checkpoints.checkpoint import must_exist

from .models import VideoDialogue
from .streaming import stream_answer


def init_dialogue(config: str | Path | Config,
                  branch: str | None = None,
                  device: str | torch.device = 'cpu') -> VideoDialogue:
    """Build the dialogue model of a config.

    Args:
        config: Config file, or a loaded config; it is not changed. That of an instruction tuning
            serves too.
        branch: A branch file in the place of the config's, see :func:`mmbt.apis.save_branch`. What
            instruction tuning writes brings the tuned projector along.
        device: Where the model goes.

    Returns:
        A model with ``generate(imgs, questions)`` and ``pipeline``, the config's transforms that
        read a video.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If the config is of another kind of model, a file does not fit, or the pipeline
            makes other frames than the model's CLIP takes.
    """
    if not isinstance(config, Config):
        if not Path(config).is_file():
            raise FileNotFoundError(f'config {config} is missing')
        config = Config.fromfile(config)
    if 'pipeline' not in config or 'model' not in config:
        raise ValueError('a config of a dialogue model has a model and a pipeline that reads its '
                         'video; take one of configs/dialogue/')
    settings = config.model.to_dict()
    settings = settings.get('dialogue', settings)  # of a config of instruction tuning
    if branch is not None:
        settings['branch'] = branch
    if settings.get('branch') is not None:
        must_exist(settings['branch'], 'branch file')
    with DefaultScope.overwrite_default_scope(config.get('default_scope', 'mmaction')):
        model = MODELS.build(settings)
        if not isinstance(model, VideoDialogue):
            raise ValueError(f'a {type(model).__name__} holds no conversation; take one of '
                             'configs/dialogue/')
        model.pipeline = Compose(config.pipeline)
    fit_pipeline(model.pipeline.transforms, model.backbone.trunk.card)
    if settings.get('branch') is None:
        warn_untrained(model.backbone, 'give it a branch file')
    return model.to(device)


class VideoChat:
    """A conversation about one video, which is read and encoded once.

    Args:
        model: From :func:`init_dialogue`.
        video: A file.
        by: 'time' or 'frame': what the frames seen are evenly spaced in. Defaults to 'time'; the
            benchmarks' answers (:func:`mmbt.apis.answer_questions`) go by frame.

    Attributes:
        history: Questions and answers so far.
        frames: (T, 3, H, W) uint8, what the model sees.

    Raises:
        VideoReadError: If the file cannot be read.
    """

    def __init__(self, model: VideoDialogue, video: str | Path,
                 by: str = 'time') -> None:
        self.model = model
        self.history: list[tuple[str, str]] = []
        self.frames = read_video(model, video, by)
        self.tokens = encode_frames(model, self.frames)

    def ask(self, question: str, **generation: Any) -> str:
        """Ask about the video, and go on from the rounds before where the model knows them.

        Args:
            question: What to ask.
            **generation: As transformers' ``generate`` takes them.

        Returns:
            The answer.

        Raises:
            ValueError: If the question is empty or holds the video's place.
        """
        answer = self._answer(question, **generation)
        self.history.append((question, answer))
        return answer

    def stream(self, question: str, **generation: Any) -> Iterator[str]:
        """The same, while it is written: the answer so far, each time that it has grown.

        The last one is what :meth:`ask` returns. An answer that is not read to its end is given up,
        and no part of the conversation.
        """
        model, answer = self.model, ''
        for answer in stream_answer(
                lambda **settings: self._answer(question, **settings), model.so_far,
                **{**model.generation, **generation}):
            yield answer
        self.history.append((question, answer))

    def _answer(self, question: str, **generation: Any) -> str:
        rounds = self.history if self.model.template.rounds else []
        return self.model.answer(self.tokens, [question], [rounds], **generation)[0]


def read_video(model: VideoDialogue, video: str | Path, by: str | None = None) -> Tensor:
    """A file's (T, 3, H, W) uint8 frames by the model's pipeline.

    Args:
        model: From :func:`init_dialogue`.
        video: The file.
        by: 'time' or 'frame', what frames are sampled evenly in; None as the pipeline says.
    """
    pipeline = model.pipeline
    if by is not None:
        pipeline = Compose([step.sampled_by(by) if isinstance(step, ReadFrames) else step
                            for step in pipeline.transforms])
    return torch.as_tensor(pipeline(dict(filename=str(video)))['imgs'])


@torch.no_grad()
def encode_frames(model: VideoDialogue, frames: Tensor) -> Tensor:
    """(T, 3, H, W) uint8 frames -> the (1, n, D) tokens that any question is asked about."""
    like = next(model.tokens.parameters())
    preprocess = VideoTextDataPreprocessor().follow(model.backbone.trunk.card).to(like.device)
    imgs = preprocess(dict(inputs=dict(imgs=[frames])))['inputs']['imgs']
    return model.tokens(imgs.to(like.dtype))
