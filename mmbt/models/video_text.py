"""The model that MMEngine's Runner runs."""
from collections.abc import Sequence
from typing import Any

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.functional import normalize

from .checkpoints.checkpoint import check_state_dict, settle_keys
from .class_features import KeptFeatures
from .large_batch import LargeBatch
from .preprocessor import follow_card
from .states import FrozenStates
from .structures import VideoEncoding
from .text import TextTower
from .tokenizer import tokenizer_spec
from .trunk import Trunk


@MODELS.register_module()
class VideoTextModel(BaseModel):
    """A video backbone beside a text tower, with training objectives and zero-shot prediction.

    Args:
        trunk: Config of the image-text model.
        backbone: Config of the temporal modelling; it is built with the trunk.
        mask: Config of the mask generator, used in training alone. None masks nothing.
        heads: Configs of the training objectives.
        cls_head: Config of zero-shot recognition.
        data_preprocessor: Config of the preprocessor.
        large_batch: For batches of more clips than memory holds, such as ``dict(clips=80)``:
            training runs them through the branch 80 at a time, twice, and its gradient is that of
            the whole batch; see :class:`~mmbt.models.large_batch.LargeBatch`. None runs all at
            once.
        init_cfg: As in MMEngine.
    """

    def __init__(self,
                 trunk: dict,
                 backbone: dict,
                 mask: dict | None = None,
                 heads: Sequence[dict] = (),
                 cls_head: dict | None = None,
                 data_preprocessor: dict | None = None,
                 large_batch: dict | None = None,
                 init_cfg: dict | None = None) -> None:
        preprocessor = data_preprocessor or dict(type='VideoTextDataPreprocessor')
        super().__init__(MODELS.build(preprocessor), init_cfg)
        self.backbone = MODELS.build(backbone, default_args=dict(trunk=MODELS.build(trunk)))
        if self.trunk.embed_dim is None and (heads or cls_head):
            raise ValueError('a trunk without its last layers, or without a projection, has no '
                             'joint space of video and text; remove heads and cls_head')
        follow_card(self.data_preprocessor, self.trunk.card)
        self.mask = MODELS.build(mask) if mask else None
        self.heads = nn.ModuleList(self._build_head(head) for head in heads)
        self.large_batch = LargeBatch(**large_batch) if large_batch else None
        if self.large_batch is not None:
            self.large_batch.check(self.heads)
        self.cls_head = MODELS.build(cls_head) if cls_head else None
        self._check_cls_head()
        self.kept_classes = KeptFeatures()
        self._register_load_state_dict_pre_hook(check_state_dict, with_module=True)
        self.register_load_state_dict_post_hook(settle_keys)

    def _build_head(self, config: dict) -> nn.Module:
        sizes = {}
        if config['type'] == 'MBTAHead':
            sizes = dict(width=self.trunk.width, embed_dim=self.trunk.embed_dim)
        return MODELS.build(config, default_args=sizes)

    def _check_cls_head(self) -> None:
        """Refuse a head whose class names the text tower could not read."""
        head, text = self.cls_head, self.trunk.text
        if head is None or text is None:
            return
        arch, context = getattr(head, 'arch', None), getattr(head, 'context_length', 0)
        if arch is not None and tokenizer_spec(arch) != text.tokenizer:
            raise ValueError(f'cls_head says the tokenizer {tokenizer_spec(arch)}, and the text '
                             f"tower's is {text.tokenizer}: leave arch out of cls_head")
        if context > text.context_length:
            raise ValueError(f'cls_head says context_length={context}, and the text tower takes '
                             f'{text.context_length} tokens at most')

    @property
    def trunk(self) -> Trunk:
        """The image-text model."""
        return self.backbone.trunk

    @property
    def text(self) -> TextTower:
        """The text tower.

        Raises:
            ValueError: If the trunk has none.
        """
        if self.trunk.text is None:
            raise ValueError('this trunk has no text tower')
        return self.trunk.text

    def encode(self, imgs: Tensor) -> VideoEncoding:
        """Encode (B, T, 3, H, W) normalised frames, nothing masked."""
        return self.backbone(imgs)

    def encode_video(self, imgs: Tensor) -> Tensor:
        """(B, T, 3, H, W) normalised frames -> (B, E) embeddings, not normalised.

        Of (B, V, T, 3, H, W), V views of each video, it is the mean of the views' embeddings, each
        scaled to length 1 before.

        Raises:
            ValueError: If the trunk has no joint space of video and text.
        """
        if imgs.ndim == 6:
            views = normalize(self.encode_video(imgs.flatten(0, 1)), dim=-1)
            return views.unflatten(0, imgs.shape[:2]).mean(dim=1)
        video = self.encode(imgs).video
        if video is None:
            raise ValueError('this trunk has no joint space of video and text (it lacks its last '
                             'layers or a projection); encode() gives the tokens')
        return video

    def encode_text(self, tokens: Tensor) -> Tensor:
        """(B, L) token ids -> (B, E) embeddings, not normalised.

        Raises:
            ValueError: If they are another tokenizer's than the text tower's, see
                :meth:`TextTower.check`.
        """
        self.text.check(tokens)
        return self.text(tokens)

    @torch.compiler.disable  # words to tokens, once
    def class_features(self) -> Tensor:
        """(C, E) features of the class names that ``cls_head`` scores by, each of length 1.

        They are computed at first use, in the text tower's own precision, and kept until its
        weights or the names change.

        Raises:
            ValueError: If the model has no ``cls_head``.
        """
        if self.cls_head is None:
            raise ValueError('the model has no cls_head; set model.cls_head in the config')
        names = tuple(self.cls_head.classes), self.cls_head.context_length
        return self.kept_classes.get(self.text, names, self._encode_classes)

    def _encode_classes(self) -> Tensor:
        head, device = self.cls_head, next(self.text.parameters()).device
        assert head is not None
        tokens = self.text.tokenize(head.classes, head.context_length).to(device)
        with torch.no_grad(), torch.autocast(device.type, enabled=False):
            return normalize(self.encode_text(tokens), dim=-1)

    def set_classes(self) -> None:
        """Compute the features of the class names now, whatever is kept of them."""
        self.forget_classes()
        self.class_features()

    def forget_classes(self) -> None:
        """Let the next use compute the features of the class names anew."""
        self.kept_classes.forget()

    def _apply(self, *args: Any, **kwargs: Any) -> 'VideoTextModel':
        self.forget_classes()  # a cast there and back may find its former place in memory
        return super()._apply(*args, **kwargs)

    def forward(self,
                inputs: dict[str, Tensor],
                data_samples: list[ActionDataSample] | None = None,
                mode: str = 'tensor') -> dict[str, Tensor] | list | VideoEncoding:
        """Run a batch of the preprocessor.

        Args:
            inputs: ``imgs`` (B, T, 3, H, W), or ``FrozenStates``, and ``tokens`` (sum of M, L)
                with the M captions of each clip; training takes one caption a clip.
            data_samples: B samples.
            mode: ``'loss'`` for a dict of losses, ``'predict'`` for samples with features and
                scores, ``'tensor'`` for the encoding.
        """
        if mode == 'loss':
            return self.loss(inputs)
        if mode == 'predict':
            return self.predict(inputs, data_samples or [])
        if mode == 'tensor':
            return self.encode(inputs['imgs'])
        raise ValueError(f"mode is 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weighted loss of each objective, by its name."""
        imgs, tokens = inputs['imgs'], inputs['tokens']
        if len(tokens) != len(imgs):
            raise ValueError(f'training takes one caption a clip, got {len(tokens)} captions for '
                             f"{len(imgs)} clips; set caption='random' in TokenizeText")
        visible = self._visible(imgs)
        if self.large_batch is not None:
            summaries = self.large_batch.summaries(self.backbone, self.heads, imgs, visible)
            text = self.text(tokens)
            return {head.name: head.loss_weight * head.compare(summary, text)
                    for head, summary in zip(self.heads, summaries)}
        encoding = self.backbone(imgs, visible)
        text = self.text(tokens)
        return {head.name: head(encoding, text, self.trunk) for head in self.heads}

    def _visible(self, imgs: Tensor | FrozenStates) -> Tensor | None:
        """The positions that a training step's branch sees; None for all."""
        if isinstance(imgs, FrozenStates) and imgs.visible is not None:
            return imgs.mask_of(self.mask)
        if self.mask is None:
            return None
        return self.mask(*imgs.shape[:2], self.trunk.num_patches, imgs.device)

    @torch.no_grad()
    def predict(self, inputs: dict[str, Tensor],
                data_samples: list[ActionDataSample]) -> list[ActionDataSample]:
        """Fill ``video_feature`` (E,), ``text_features`` (M, E), ``pred_score`` (C,) and its label.

        The frames are brought to the precision of the weights.
        """
        like = next(self.trunk.parameters())
        video = self.encode_video(inputs['imgs'].to(like.dtype))
        assert len(data_samples) == len(video)
        for sample, feature in zip(data_samples, video):
            sample.video_feature = feature
        if 'tokens' in inputs:
            text = self.encode_text(inputs['tokens'])
            counts = [sample.num_captions for sample in data_samples]
            for sample, features in zip(data_samples, text.split(counts)):
                sample.text_features = features
        if self.cls_head is not None:
            for sample, score in zip(data_samples, self.cls_head(video, self.class_features())):
                sample.set_pred_score(score)
                sample.set_pred_label(score.argmax(dim=0, keepdim=True))
        return data_samples
