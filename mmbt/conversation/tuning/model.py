"""Instruction tuning: the branch and the projector of a dialogue model learn from answers."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmbt.models.checkpoints.branch_file import as_model, load_branch, marks_of_clip, outside_clip
from mmbt.models.checkpoints.checkpoint import check_state_dict, settle_keys
from mmbt.models.preprocessor import follow_card

from ..models.base import VideoDialogue
from ..models.loading import cast
from .taught_answers import IGNORED, answer_cross_entropy, answer_tokens, check_end


@MODELS.register_module()
class DialogueTuning(BaseModel):
    r"""A dialogue model that learns to answer questions about videos (Sec. 4.1, Table 8).

    ::

        video - CLIP - branch - gate - projector ----\
                                                      language model - answer, its end
        prompt ------------------------ embeddings --/

    Trained are the branch (all of the backbone that is not CLIP), the gate that joins it to CLIP
    (``balance`` in files) and the projector, in float32. The language model, CLIP and a Q-Former
    are frozen, stay in eval mode and in the precision of the dialogue's config; gradients pass
    through them. In half precision that takes ``AmpOptimWrapper``.

    A checkpoint holds what is trained, by the names that a branch file has, and a fingerprint of
    CLIP; ``init_dialogue(config, branch=checkpoint)`` reads either.

    Args:
        dialogue: Config of the dialogue model, as :func:`mmbt.apis.init_dialogue` takes it. Its
            ``branch`` is the file that tuning starts from: of pretraining, or of a tuning before.
        from_scratch: Whether to start from an untrained branch, as Table 1 does.
        train_clip: Whether CLIP is trained too (Joint-ST and Separate-ST of Table 1).
        max_tokens: Length of a sequence, video included; a longer one loses the end of its
            answer. Defaults to 2,048, what LLaMA reads.
        data_preprocessor: Config of the preprocessor.
        init_cfg: As in MMEngine.

    Raises:
        FileNotFoundError: If a file or model is missing.
        ValueError: If there is no branch file to start from and ``from_scratch`` does not say so,
            or the file does not fit.
    """

    def __init__(self,
                 dialogue: dict,
                 from_scratch: bool = False,
                 train_clip: bool = False,
                 max_tokens: int = 2048,
                 data_preprocessor: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        preprocessor = data_preprocessor or dict(type='VideoTextDataPreprocessor')
        super().__init__(MODELS.build(preprocessor), init_cfg)
        settings = dict(dialogue)
        branch = settings.pop('branch', None)
        _check_branch(branch, from_scratch)
        self.dialogue = _build_dialogue(settings)
        check_end(self.dialogue.tokenizer, self.dialogue.template)
        self.max_tokens = max_tokens
        self.train_clip = train_clip
        follow_card(self.data_preprocessor, self.backbone.trunk.card)
        self.open_parts()
        if branch is not None:
            load_branch(self, branch)
        elif not from_scratch and outside_clip(nn.ModuleDict(dict(backbone=self.backbone))):
            raise ValueError('instruction tuning starts from a trained branch: set '
                             'model.dialogue.branch to its file, such as branch_epoch_1.pth of '
                             'pretraining, or model.from_scratch=True')
        self.train()
        self._register_state_dict_hook(_keep_trained)
        self._register_load_state_dict_pre_hook(_take_trained, with_module=True)
        self.register_load_state_dict_post_hook(settle_keys)

    @property
    def backbone(self) -> nn.Module:
        """The video backbone."""
        return self.dialogue.backbone

    def tuned_parts(self) -> nn.ModuleDict:
        """The parts that are trained, by the names that branch files have."""
        return self.dialogue.tuned_parts()

    def open_parts(self) -> None:
        """Freeze all, then bring what is trained to float32 and open it."""
        self.dialogue.requires_grad_(False)
        trunk = self.backbone.trunk
        if self.train_clip:
            cast(trunk, torch.float32)
            trunk.freeze(False)
        for parameter in outside_clip(self.tuned_parts()).values():
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
        branch = getattr(self.backbone, 'branch', None)
        if branch is None:
            self.dialogue.tokens.gate.requires_grad_(False)  # CLIP has nothing beside it
        elif trunk.embed_dim is None:
            branch.output_gate.requires_grad_(False)  # it leads to the joint space, there is none

    def train(self, mode: bool = True) -> 'DialogueTuning':
        """Set what is trained to a mode; all else stays in eval mode."""
        super().train(mode)
        self.tuned_parts().train(mode)
        return self

    def forward(self,
                inputs: dict[str, Tensor],
                data_samples: list[ActionDataSample] | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | Tensor:
        """Run a batch of the preprocessor.

        Args:
            inputs: ``imgs`` (B, T, 3, H, W).
            data_samples: B samples with ``question`` and ``answer``.
            mode: ``'loss'`` for a dict of the loss, ``'tensor'`` for the videos' (B, n, D) tokens.

        Returns:
            What ``mode`` says.

        Raises:
            ValueError: If it is another mode.
        """
        if mode == 'tensor':
            return self.dialogue.tokens(inputs['imgs'])
        if mode != 'loss':
            raise ValueError(f"mode is 'loss' or 'tensor', got {mode!r}; answers are given by "
                             'init_dialogue(config, branch=...)')
        samples = data_samples or []
        return self.loss(inputs['imgs'], [each.question for each in samples],
                         [each.answer for each in samples])

    def loss(self, imgs: Tensor, questions: Sequence[str],
             answers: Sequence[str]) -> dict[str, Tensor]:
        """The cross-entropy of the answers' tokens, see :func:`answer_cross_entropy`.

        Args:
            imgs: (B, T, 3, H, W) normalised frames.
            questions: B questions.
            answers: B answers.
        """
        embeds, mask, labels = self.sequences(self.dialogue.tokens(imgs), questions, answers)
        logits = self.dialogue.language_model(
            inputs_embeds=embeds, attention_mask=mask, use_cache=False).logits
        return dict(loss=answer_cross_entropy(logits, labels))

    def sequences(self, tokens: Tensor, questions: Sequence[str],
                  answers: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
        """What the language model is told: each prompt, its video in it, and its answer.

        Args:
            tokens: (B, n, D) of the videos.
            questions: B questions.
            answers: B answers.

        Returns:
            (B, L, H) embeddings, padded on the right, their (B, L) int64 mask, and (B, L) labels
            for :func:`answer_cross_entropy`.

        Raises:
            ValueError: If a prompt leaves no place for its answer.
        """
        model = self.dialogue
        prompts = [model.template.prompt(question) for question in questions]
        rows, labels = [], []
        embedding = model.language_model.get_input_embeddings()
        for row, prompt, answer in zip(model.rows(tokens, questions, prompts), prompts, answers):
            place = self.max_tokens - len(row)
            if place < 1:
                raise ValueError(f'a prompt takes {len(row)} tokens with its video, and max_tokens '
                                 f'is {self.max_tokens}; take fewer frames or another pooling')
            told = torch.tensor(answer_tokens(model.tokenizer, model.template, prompt, answer),
                                device=row.device)[:place]
            rows.append(torch.cat([row, embedding(told)]))
            labels.append(F.pad(told, (len(row), 0), value=IGNORED))
        mask = [torch.ones_like(row) for row in labels]
        return padded(rows, 0), padded(mask, 0), padded(labels, IGNORED)


def padded(rows: Sequence[Tensor], value: int) -> Tensor:
    """B of (L, ...) as one (B, longest, ...), filled up on the right."""
    return nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=value)


def _check_branch(branch: str | None, from_scratch: bool) -> None:
    """Refuse a start that cannot be, before gigabytes are read.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If there is one and none is wanted.
    """
    if branch is None:
        return
    if from_scratch:
        raise ValueError(f'from_scratch=True starts from an untrained branch and not from {branch}'
                         '; set model.dialogue.branch=None, or from_scratch=False')
    if not Path(branch).is_file():
        raise FileNotFoundError(f'branch file {branch} is missing: tuning starts from the one that '
                                'pretraining writes; set model.dialogue.branch')


def _build_dialogue(settings: dict) -> VideoDialogue:
    """Build the dialogue model.

    Raises:
        ValueError: If the config is of another model.
    """
    dialogue = MODELS.build(settings)
    if not isinstance(dialogue, VideoDialogue):
        raise ValueError(f'a {type(dialogue).__name__} holds no conversation; model.dialogue is '
                         'the model of one of configs/dialogue/dialogue_*.py')
    return dialogue


def _keep_trained(module: DialogueTuning, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Leave in a checkpoint what is trained and what tells which CLIP that is for."""
    for key in [key for key in state if key.startswith(prefix)]:
        del state[key]
    parts = module.tuned_parts()
    kept = parts.state_dict() if module.train_clip else outside_clip(parts)
    for name, value in {**kept, **marks_of_clip(parts)}.items():
        state[prefix + name] = value.detach()


def _take_trained(module: DialogueTuning, state: dict[str, Any], prefix: str,
                  known: dict[str, Any], *_: Any) -> None:
    """Load what :func:`_keep_trained` left, or a branch file; refuse what does not fit."""
    given = {key[len(prefix):]: state.pop(key) for key in list(state) if key.startswith(prefix)}
    root = as_model(module)
    check_state_dict(root, given, '', known)
    root.load_state_dict(given, strict=False)
